"""`lensjax explore` where it cannot start."""

import socket

from lensjax.cli import explore, main


def test_a_missing_package_names_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(explore, "find_spec", lambda name: None)
    assert main.main(["explore"]) == 2
    assert capsys.readouterr().err == "lensjax: the package nicegui is missing; pip install 'lensjax[explore]'\n"


def test_a_port_in_use_says_so(monkeypatch, capsys):
    monkeypatch.setattr(explore, "find_spec", lambda name: object())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main.main(["explore", "--no-browser", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lensjax: nothing can listen there: Address already in use") and error.count("\n") == 1


def test_ports_are_checked(capsys):
    assert main.main(["explore", "--port", "70000"]) == 2
    assert "expected" in capsys.readouterr().err
