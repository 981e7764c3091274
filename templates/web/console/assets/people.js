// The form of a file: one that is too large is told before it is sent.
"use strict";

(() => {
  const field = document.getElementById("file");
  const fault = document.getElementById("file-fault");
  const form = field?.form;
  if (!form) return;
  field.addEventListener("change", () => {
    const tooLarge = (field.files[0]?.size ?? 0) > Number(form.dataset.largest) * 1024 * 1024;
    fault.hidden = !tooLarge;
    fault.textContent = tooLarge ? form.dataset.tooLarge : "";
    field.setCustomValidity(fault.textContent);
  });
})();
