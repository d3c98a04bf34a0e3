# Read by the jobs of this folder: the environment, and how a job that runs out of time is queued again.

# Modules to load, and the virtual environment (the Makefile's by default).
MODULES="${MODULES:-}"
# NTNU's IDUN:  MODULES="Python/3.11.3-GCCcore-12.3.0"
VENV="${VENV:-.venv}"

cd "${SLURM_SUBMIT_DIR:-.}" || exit 1
if [ -n "$MODULES" ]; then
    module purge
    # shellcheck disable=SC2086
    module load $MODULES
fi
set -u
if [ ! -x "$VENV/bin/python" ]; then
    echo "no Python in $VENV: run \"make venv\", or set VENV to a virtual environment" >&2
    exit 2
fi
export PATH="$PWD/$VENV/bin:$PATH"
case "$VENV" in /*) export PATH="$VENV/bin:$PATH" ;; esac
export PYTHONUNBUFFERED=1

TRY_AGAIN=75  # exit code of a program that a signal ended early, and that resumes

# resumable COMMAND...: runs it in all tasks of the job. Shortly before the time limit SLURM sends SIGUSR1 (see --signal of the job), which
# is passed on. Training writes a checkpoint and ends with TRY_AGAIN; other commands are ended by the signal and resume from what they have
# written. The job is queued again under its own number.
resumable() {
    local stopping=0 code=128 step
    srun --kill-on-bad-exit=1 "$@" &
    step=$!
    trap 'stopping=1; echo "time is nearly up: asking the program to stop"; kill -USR1 "$step"' USR1
    while kill -0 "$step" 2>/dev/null; do
        wait "$step"
        code=$?
    done
    trap - USR1
    if [ "$code" -eq "$TRY_AGAIN" ] || { [ "$stopping" -eq 1 ] && [ "$code" -ne 0 ]; }; then
        local job="$SLURM_JOB_ID"
        [ -n "${SLURM_ARRAY_JOB_ID:-}" ] && job="${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
        echo "queueing job $job again"
        scontrol requeue "$job"
        sleep 60 # the requeue ends this script
    fi
    return "$code"
}
