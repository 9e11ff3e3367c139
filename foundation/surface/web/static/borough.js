// What a page cannot do without a script but is nicer with: copying, focus, tidy addresses.
"use strict";

(() => {
  const each = (root, selector, action) => root.querySelectorAll(selector).forEach(action);

  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.querySelector("span") ?? button;
    const before = label.textContent;
    label.textContent = document.body.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 1500);
  };

  // aria-invalid follows the sentence beside the field, also after htmx has changed only that.
  const markFields = () => each(document, ".usa-error-message[id$='-error']", (message) => {
    const input = document.getElementById(message.id.slice(0, -"-error".length));
    if (!input || input.tagName === "FIELDSET") return;
    if (message.textContent.trim()) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  });

  const prepare = (root) => {
    if (navigator.clipboard) each(root, "[data-copy]", (button) => { button.hidden = false; });
    each(root, "[data-focus]", (element) => element.focus());
    each(root, "[data-submit-on-change]", (form) => form.addEventListener("change", () => form.requestSubmit()));
    each(root, "[data-no-script]", (element) => { element.hidden = true; });
  };

  // Type the name to delete: the button waits for it; the server checks it again.
  document.addEventListener("input", (event) => {
    const wanted = event.target.dataset?.confirm;
    if (wanted === undefined) return;
    const button = event.target.form?.querySelector("[data-confirmed]");
    if (button) button.disabled = event.target.value.trim() !== wanted;
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    each(document, ".bo-menu[open], .bo-as[open]", (details) => {
      if (!details.contains(event.target)) details.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    each(document, ".bo-menu[open], .bo-as[open]", (details) => {
      details.open = false;
      details.querySelector("summary").focus();
    });
  });

  document.addEventListener("htmx:afterSettle", markFields);

  // The sentence on what was done belongs to this visit, not to a reload or a bookmark.
  if (document.querySelector("[data-once]")) {
    const address = new URL(location.href);
    each(document, "[data-once]", (element) => address.searchParams.delete(element.dataset.once));
    history.replaceState(history.state, "", address);
  }
  prepare(document);
})();
