// Sorting and filters for the scoreboard; without this script it is a plain table.
(() => {
  const table = document.querySelector("table.scoreboard");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const text = (row, i) => row.cells[i].textContent.trim();
  const collator = new Intl.Collator("en", { numeric: true });

  const bar = document.createElement("form");
  bar.className = "scoreboard-filters";
  bar.setAttribute("role", "search");
  bar.setAttribute("aria-label", "Filter the claims");
  bar.addEventListener("submit", (event) => event.preventDefault());
  const count = document.createElement("output");
  const field = (label, input) => {
    const wrapper = document.createElement("label");
    wrapper.append(`${label} `, input);
    bar.append(wrapper);
    input.addEventListener("input", filter);
    return input;
  };
  const choices = ["Chapter", "Kind", "Verdict"].map((label) => {
    const column = heads.findIndex((head) => head.textContent.trim() === label);
    const values = [...new Set(rows.map((row) => text(row, column)))];
    const select = document.createElement("select");
    for (const value of ["", ...values.sort(collator.compare)])
      select.append(new Option(value || "all", value));
    return [field(label, select), column];
  });
  const words = document.createElement("input");
  words.type = "search";
  field("Text", words);
  bar.append(count);
  table.closest(".table-scroll").before(bar);

  function filter() {
    const wanted = words.value.trim().toLowerCase();
    for (const row of rows)
      row.hidden =
        choices.some(([select, i]) => select.value && select.value !== text(row, i)) ||
        !row.textContent.toLowerCase().includes(wanted);
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown} of ${rows.length} claims`;
  }

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent.trim();
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      rows.sort((a, b) => sign * collator.compare(text(a, i), text(b, i)));
      body.append(...rows);
    });
  });
  filter();
})();
