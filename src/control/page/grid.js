// A grid of any number of cells, of which only those in sight are in the document. It is one stop for the Tab key; arrow
// keys, Home, End, Page Up and Page Down go from cell to cell, and the cell with the focus stays where it is when the
// rest is scrolled away.

import { h, mark, oncePerFrame } from "./dom.js";

/** Rows above and below those in sight. */
const MORE = 2;

/** `make()` makes a cell's link, `show(link, item)` writes an item into it. */
export class Grid {
    element;
    /** Called with the first and last index in sight whenever they change. */
    seen = () => {};
    #sizer;
    #cellWidth;
    #rowHeight;
    #make;
    #show;
    #items = [];
    #columns = 1;
    #rows = new Map();
    #active = { index: 0, name: null };
    #later = oncePerFrame(() => this.#draw());
    #watch;

    constructor({ label, cellWidth, rowHeight, make, show }) {
        this.#cellWidth = cellWidth;
        this.#rowHeight = rowHeight;
        this.#make = make;
        this.#show = show;
        this.#sizer = h("div", { class: "sizer", role: "presentation" });
        this.element = h("div", { class: "grid", role: "grid", "aria-label": label, "aria-readonly": "true" }, this.#sizer);
        this.element.addEventListener("scroll", () => this.#later(), { passive: true });
        this.element.addEventListener("keydown", (event) => this.#key(event));
        this.element.addEventListener("focusin", (event) => this.#focused(event));
        this.#watch = new ResizeObserver(() => this.#measure());
        this.#watch.observe(this.element);
    }

    /** Ends it. */
    close() {
        this.#watch.disconnect();
    }

    /** Shows these items; the cell that is the Tab key's stays that of its item, wherever that is now. */
    set items(items) {
        this.#items = items;
        const { index, name } = this.#active;
        if (items[index]?.name !== name) {
            const now = name === null ? 0 : items.findIndex((item) => item.name === name);
            const at = now >= 0 ? now : Math.min(index, Math.max(items.length - 1, 0));
            this.#active = { index: at, name: items[at]?.name ?? null };
        }
        this.#measure();
    }

    /** How far it is scrolled, in pixels. */
    get offset() {
        return this.element.scrollTop;
    }

    set offset(pixels) {
        this.element.scrollTop = pixels;
    }

    /** The item that the Tab key comes to. */
    get active() {
        return this.#active.name;
    }

    set active(name) {
        const index = this.#items.findIndex((item) => item.name === name);
        if (index >= 0) this.#active = { index, name };
        this.#draw();
    }

    /** Goes to an item. */
    go(index, focus = true) {
        if (this.#items.length === 0) return;
        const at = Math.min(Math.max(index, 0), this.#items.length - 1);
        this.#active = { index: at, name: this.#items[at].name };
        const top = Math.floor(at / this.#columns) * this.#rowHeight;
        const view = this.element.clientHeight;
        if (top < this.element.scrollTop) this.element.scrollTop = top;
        else if (top + this.#rowHeight > this.element.scrollTop + view) this.element.scrollTop = top + this.#rowHeight - view;
        this.#draw();
        if (focus) this.#link(at)?.focus({ preventScroll: true });
    }

    #link(index) {
        const row = this.#rows.get(Math.floor(index / this.#columns));
        return row?.children[index % this.#columns]?.firstChild;
    }

    #measure() {
        const width = this.#sizer.clientWidth;
        if (width === 0) return;
        const columns = Math.max(1, Math.floor(width / this.#cellWidth));
        if (columns !== this.#columns) {
            this.#columns = columns;
            this.element.style.setProperty("--columns", String(columns));
            const held = this.element.contains(document.activeElement);
            for (const row of this.#rows.values()) row.remove();
            this.#rows.clear();
            if (held) this.go(this.#active.index);
        }
        const rows = Math.ceil(this.#items.length / columns);
        this.#sizer.style.height = `${rows * this.#rowHeight}px`;
        mark(this.element, "aria-rowcount", rows);
        mark(this.element, "aria-colcount", columns);
        this.#draw();
    }

    #draw() {
        const count = Math.ceil(this.#items.length / this.#columns);
        const top = Math.floor(this.element.scrollTop / this.#rowHeight);
        const bottom = Math.ceil((this.element.scrollTop + this.element.clientHeight) / this.#rowHeight);
        const wanted = new Set();
        for (let row = Math.max(0, top - MORE); row < Math.min(count, bottom + MORE); row += 1) wanted.add(row);
        if (count > 0) wanted.add(Math.floor(this.#active.index / this.#columns));
        this.#place([...wanted].sort((a, b) => a - b));
        const last = Math.min(bottom * this.#columns, this.#items.length) - 1;
        this.seen(Math.min(top * this.#columns, Math.max(last, 0)), last);
    }

    /** Rows that go are used for those that come. Rows that stay are not moved, which would take the focus from them. */
    #place(wanted) {
        const keep = new Set(wanted);
        const free = [];
        for (const [index, row] of this.#rows) {
            if (!keep.has(index)) {
                this.#rows.delete(index);
                free.push(row);
            }
        }
        let after = null;
        for (const index of wanted) {
            let row = this.#rows.get(index);
            if (!row) {
                row = free.pop() ?? h("div", { role: "row", class: "cells" });
                row.style.transform = `translateY(${index * this.#rowHeight}px)`;
                mark(row, "aria-rowindex", index + 1);
                this.#rows.set(index, row);
                this.#sizer.insertBefore(row, after ? after.nextSibling : this.#sizer.firstChild);
            }
            this.#write(row, index);
            after = row;
        }
        for (const row of free) row.remove();
    }

    #write(row, index) {
        const first = index * this.#columns;
        const count = Math.min(this.#columns, this.#items.length - first);
        while (row.children.length > count) row.lastChild.remove();
        while (row.children.length < count) {
            const column = row.children.length + 1;
            row.append(h("div", { role: "gridcell", "aria-colindex": column }, this.#make()));
        }
        for (let column = 0; column < count; column += 1) {
            const link = row.children[column].firstChild;
            const item = this.#items[first + column];
            if (link.item !== item) {
                link.item = item;
                this.#show(link, item);
            }
            link.tabIndex = first + column === this.#active.index ? 0 : -1;
        }
    }

    #focused(event) {
        const name = event.target.closest("a")?.item?.name;
        if (name === undefined || name === this.#active.name) return;
        this.active = name;
    }

    #key(event) {
        if (event.altKey || event.metaKey) return;
        const { index } = this.#active;
        const column = index % this.#columns;
        const page = Math.max(1, Math.floor(this.element.clientHeight / this.#rowHeight) - 1) * this.#columns;
        const whole = event.ctrlKey;
        const last = this.#items.length - 1;
        const steps = {
            ArrowRight: index + 1,
            ArrowLeft: index - 1,
            ArrowDown: index + this.#columns > last ? index : index + this.#columns,
            ArrowUp: index - this.#columns < 0 ? index : index - this.#columns,
            PageDown: Math.min(index + page, last),
            PageUp: index - page < 0 ? column : index - page,
            Home: whole ? 0 : index - column,
            End: whole ? last : Math.min(index - column + this.#columns - 1, last),
        };
        if (!(event.key in steps)) return;
        event.preventDefault();
        this.go(steps[event.key]);
    }
}
