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
  new MutationObserver(silence).observe(document.body, { childList: true, subtree: true });
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
})();
