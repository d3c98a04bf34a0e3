// What the theme leaves out for readers who use a keyboard or a screen reader, and figures that open.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("p.caption[role=heading]").forEach((caption) => caption.setAttribute("aria-level", "2"));
  document.querySelectorAll("summary[aria-label]").forEach((summary) => summary.removeAttribute("aria-label"));
  document.querySelectorAll("aside.sidebar-drawer").forEach((aside) => aside.setAttribute("aria-label", "Site"));
  document.querySelectorAll("aside.toc-drawer").forEach((aside) => aside.setAttribute("aria-label", "On this page"));
  document.querySelectorAll("article pre, .table-wrapper, .cell_output .text_html").forEach((wide) => {
    if (wide.scrollWidth > wide.clientWidth) wide.setAttribute("tabindex", "0");
  });
  document.querySelectorAll("article th").forEach((header) => {
    if (header.textContent.trim()) return;
    const cell = document.createElement("td");
    cell.className = header.className;
    header.replaceWith(cell);
  });
  document.querySelectorAll("article img").forEach((image) => {
    if (image.closest("a")) return;
    const link = document.createElement("a");
    link.href = image.src;
    link.title = "full size";
    image.replaceWith(link);
    link.append(image);
  });
});
