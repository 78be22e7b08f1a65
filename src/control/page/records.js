// An event says which record was logged; what the record says has to be asked for. It is asked for one after the other, and
// not at all where too many come at once.

import { ask, bmcPath } from "./api.js";

const MOST = 12;

let waiting = 0;
let last = Promise.resolve();

/** Has `found(event)` called with the event and its record, if that can be had. */
export function lookUp(event, found) {
    if (event.kind !== "sel_added" || typeof event.record !== "number" || waiting >= MOST) return;
    waiting += 1;
    last = last.then(() => get(event, found)).finally(() => {
        waiting -= 1;
    });
}

async function get(event, found) {
    try {
        const after = event.record > 1 ? `&after=${event.record - 1}` : "";
        const query = `?mc=${event.mc}&limit=1${after}`;
        const { records } = await ask("GET", bmcPath(event.bmc, "sel") + query);
        if (records[0]?.id === event.record) found({ ...event, record: records[0] });
    } catch {
        // It may have been cleared meanwhile; the number is what is left to say.
    }
}
