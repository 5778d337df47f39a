import { OrderState } from "../../../../../gen/shop/api/v1/order_pb.ts";
import type { Parcel } from "../../../../../gen/shop/api/v1/warehouse_pb.ts";
import { h } from "../dom.ts";
import type { App } from "../page.ts";
import { labelNumber } from "../parcels.ts";
import type { Work } from "./parcel-row.ts";

/** One of the warehouse's two lists. */
export interface Stage {
  readonly state: OrderState;
  readonly path: string;
  readonly name: string;
  /** What has happened to a parcel that is in it. */
  readonly since: string;
  /** "3 parcels to pack" */
  readonly countWords: (count: string) => string;
  readonly emptyWords: string;
  readonly doneWords: string;
  readonly work: (app: App, parcel: Parcel) => Work;
}

export const toShip: Stage = {
  ...{ state: OrderState.PAID, path: "/warehouse", name: "To ship", since: "Paid" },
  countWords: (count) => `${count} to pack.`,
  emptyWords: "Nothing waits. New orders come in here by themselves.",
  doneWords: "On its way",
  work: ({ api }, { orderId }) => {
    const id = `tracking-${orderId}`;
    const input = h("input", {
      ...{ id, class: "input", type: "text", value: labelNumber(orderId), maxlength: 40, required: true },
      ...{ autocomplete: "off", autocapitalize: "characters", spellcheck: "false" },
    });
    const detail = h("div", { class: "field" }, h("label", { for: id }, "Tracking number"), input);
    const run = () => api.warehouse.shipOrder({ orderId, trackingNumber: input.value.trim() });
    return { kind: "ship", label: "Ship", detail, input, run };
  },
};

export const onTheirWay: Stage = {
  ...{ state: OrderState.SHIPPED, path: "/warehouse/on-their-way", name: "On their way", since: "Left" },
  countWords: (count) => `${count} on the way.`,
  emptyWords: "No parcel is on its way.",
  doneWords: "Delivered",
  work: ({ api }, { orderId, trackingNumber }) => ({
    ...{ kind: "deliver", label: "Mark delivered" },
    detail: h("p", { class: "parcel-tracking" }, h("span", {}, "Tracking number"), h("code", {}, trackingNumber)),
    run: () => api.warehouse.deliverOrder({ orderId }),
  }),
};
