import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ParcelService } from "./generated/parcel/v1/parcel_pb.js";

const baseUrl = "http://127.0.0.1:8080";
const show = (...words) => document.querySelector("pre").append(words.join(" ") + "\n");

for (const transport of [createConnectTransport({ baseUrl, useHttpGet: true }), createGrpcWebTransport({ baseUrl })]) {
  const client = createClient(ParcelService, transport);
  const parcel = await client.getParcel({ id: "42" });
  show("for", parcel.recipient, parcel.weightGrams, "g");
  for await (const stop of client.trackParcel({ id: "42" })) {
    show(stop.place, timestampDate(stop.arrival).toISOString());
  }
  await client.getParcel({ id: "43" }).catch((error) => show(error.message));
}
