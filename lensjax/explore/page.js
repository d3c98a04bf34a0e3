// Quasar's slider has its role and its name on an element that never has the focus: screen readers say neither. Here they move inside.
(() => {
  const states = ["aria-label", "aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-orientation"];
  const name = (slider) => {
    const inside = slider.querySelector("[tabindex]");
    if (!inside) return;
    const copy = () => {
      inside.setAttribute("role", "slider");
      for (const state of states) {
        if (!slider.hasAttribute(state)) continue;
        inside.setAttribute(state, slider.getAttribute(state));
        slider.removeAttribute(state);
      }
      if (slider.getAttribute("role") !== "presentation") slider.setAttribute("role", "presentation");
    };
    copy();
    new MutationObserver(copy).observe(slider, { attributes: true });
  };
  const named = new WeakSet();
  const look = () => {
    for (const slider of document.querySelectorAll(".q-slider")) {
      if (named.has(slider)) continue;
      named.add(slider);
      name(slider);
    }
  };
  // The panel around a picture has the words.
  const silence = () => document.querySelectorAll(".picture img:not([alt])").forEach((image) => image.setAttribute("alt", ""));
  // A finger drags as the mouse does.
  const kinds = { touchstart: "mousedown", touchmove: "mousemove", touchend: "mouseup", touchcancel: "mouseup" };
  const drag = (event) => {
    const image = event.target.closest?.(".first .picture")?.querySelector("img");
    if (!image || event.touches.length > 1) return;
    const { clientX, clientY } = event.changedTouches[0];
    const buttons = kinds[event.type] === "mouseup" ? 0 : 1;
    image.dispatchEvent(new MouseEvent(kinds[event.type], { bubbles: true, clientX, clientY, buttons }));
    if (event.cancelable) event.preventDefault();
  };
  for (const kind of Object.keys(kinds)) document.addEventListener(kind, drag, { passive: false });
  new MutationObserver(silence).observe(document.body, { childList: true, subtree: true });
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
})();
