// The table of all cells: filter and sort, with the state in the address. Without this script
// the table shows every row, and no control that would do nothing.
(() => {
  "use strict";
  const table = document.querySelector("table.cells");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const place = table.parentElement;
  const state = { q: "", status: "", study: "", sort: "", dir: "" };

  const make = (tag, properties, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const values = (key) => [...new Set(rows.flatMap((row) => (row.dataset[key] || "").split(key === "studies" ? " " : "\n")))].filter(Boolean).sort();
  const choice = (all, options) => make("select", {}, make("option", { value: "", textContent: all }), ...options.map((o) => make("option", { value: o, textContent: o })));

  const inputs = {
    q: make("input", { type: "search", autocomplete: "off", spellcheck: false }),
    status: choice("all", values("status")),
    study: choice("all", values("studies")),
  };
  const count = make("output", {});
  count.setAttribute("aria-live", "polite");
  const reset = make("button", { type: "button", textContent: "Reset" });
  const controls = make("div", { className: "controls" },
    make("label", {}, "Filter by words in the name", inputs.q),
    make("label", {}, "Outcome", inputs.status),
    make("label", {}, "Study", inputs.study),
    reset, count);
  controls.setAttribute("role", "search");
  controls.setAttribute("aria-label", "Filter the cells");
  place.before(controls);

  const sortable = heads.slice(1).filter((head) => !head.classList.contains("command"));
  for (const head of sortable) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const column = String(head.cellIndex);
      state.dir = state.sort === column && state.dir === "asc" ? "desc" : "asc";
      state.sort = column;
      apply(true);
    });
  }

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  // Numbers in their order, then words; a word is no number and stays last in both directions.
  const compare = (a, b, sign) => {
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    if (typeof a === typeof b) return sign * a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  };

  function apply(remember) {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = !(words.every((word) => name.includes(word))
        && (!state.status || row.dataset.status === state.status)
        && (!state.study || row.dataset.studies.split(" ").includes(state.study)));
      shown += !row.hidden;
    }
    const column = Number(state.sort);
    const order = [...rows];
    if (column) order.sort((a, b) => compare(key(a, column), key(b, column), state.dir === "desc" ? -1 : 1));
    body.append(...order);
    for (const head of sortable) {
      if (head.cellIndex === column) head.setAttribute("aria-sort", state.dir === "desc" ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    for (const [name, input] of Object.entries(inputs)) input.value = state[name];
    count.textContent = `${shown} of ${rows.length} cells`;
    if (remember) {
      const set = Object.entries(state).filter(([, value]) => value);
      const hash = set.length ? `#cells?${new URLSearchParams(set)}` : "#cells";
      history.replaceState(null, "", hash);
    }
  }

  function read() {
    if (!location.hash.startsWith("#cells?")) return;
    const given = new URLSearchParams(location.hash.slice("#cells?".length));
    for (const name of Object.keys(state)) state[name] = given.get(name) || "";
    if (!sortable.some((head) => String(head.cellIndex) === state.sort)) state.sort = "";
    apply(false);
    document.getElementById("cells").scrollIntoView();
  }

  for (const [name, input] of Object.entries(inputs)) {
    input.addEventListener("input", () => { state[name] = input.value; apply(true); });
  }
  reset.addEventListener("click", () => {
    for (const name of Object.keys(state)) state[name] = "";
    apply(true);
  });
  addEventListener("hashchange", read);
  apply(false);
  read();
})();
