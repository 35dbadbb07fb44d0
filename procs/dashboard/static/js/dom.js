// Builds and updates the page.  Unchanged elements are not touched, so that a selection, a hover
// or a click in progress survives ten updates a second.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function text(element, value) {
  const shown = String(value ?? "");
  if (element.textContent !== shown) element.textContent = shown;
}

export function mark(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

export function className(element, value) {
  if (element.className !== value) element.className = value;
}

// As many children as there are rows: `create` makes one, `update` fills it.
export function list(parent, rows, create, update) {
  while (parent.children.length > rows.length) parent.lastElementChild.remove();
  while (parent.children.length < rows.length) parent.append(create(parent.children.length));
  rows.forEach((row, index) => update(parent.children[index], row, index));
}

export function panel(title, classes = "", ...extra) {
  const note = make("span", { class: "muted" });
  const head = make("div", { class: "title" }, make("h2", { textContent: title }), note, ...extra);
  const body = make("div", { class: "body" });
  const element = make("section", { class: `panel ${classes}` }, head, body);
  return { element, body, note, head };
}

// Columns: {label, left, of(row), class(row)}; returns the function that shows rows.
export function table(parent, columns, { empty = "none", onPick = null, rowClass = null } = {}) {
  const head = make("tr", {}, ...columns.map((column) =>
    make("th", { textContent: column.label, class: column.left ? "left" : "" })));
  const body = make("tbody");
  const note = make("div", { class: "muted", textContent: empty });
  const element = make("table", {}, make("thead", {}, head), body);
  parent.append(make("div", { class: "scroll" }, element), note);
  let shown = [];
  const createRow = (index) => make("tr", onPick ? { onclick: () => onPick(shown[index], index) } : {},
    ...columns.map(() => make("td")));
  return (rows) => {
    shown = rows;
    element.hidden = rows.length === 0;
    note.hidden = rows.length > 0;
    list(body, rows, createRow, (line, row, index) => {
      className(line, `${onPick ? "pick" : ""} ${rowClass ? rowClass(row, index) : ""}`.trim());
      columns.forEach((column, number) => {
        const cell = line.children[number];
        if (column.draw) column.draw(cell, row);
        else text(cell, column.of(row));
        const extra = column.class ? column.class(row) : "";
        className(cell, `${column.left ? "left" : ""} ${column.wrap ? "wrap" : ""} ${extra}`.trim());
      });
    });
  };
}

export function figures(parent) {
  const element = make("dl", { class: "figures spaced" });
  parent.append(element);
  return (pairs) => list(element, pairs, () => make("div", {}, make("dt"), make("dd")),
    (box, [label, value, level]) => {
      text(box.firstChild, label);
      text(box.lastChild, value);
      className(box.lastChild, level ?? "");
    });
}

export function choice(options, chosen, onChoose) {
  const element = make("span", { class: "choice", role: "group" });
  const show = (names, now) => list(element, names,
    (index) => make("button", { type: "button", onclick: () => onChoose(names_[index]) }),
    (button, name) => {
      text(button, name);
      if (button.getAttribute("aria-pressed") !== String(name === now)) {
        button.setAttribute("aria-pressed", String(name === now));
      }
    });
  let names_ = options;
  show(options, chosen);
  return { element, show: (names, now) => { names_ = names; show(names, now); } };
}
