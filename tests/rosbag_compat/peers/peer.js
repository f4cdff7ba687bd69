// SPDX-License-Identifier: Apache-2.0
// peer.js - logs as readers of other people see them: ROS 1 bags by @foxglove/rosbag, MCAP by
// @mcap/core, once by its index and once as a stream, which must agree.
//
// Usage: node peer.js FOLDER LOG...
//
// Of the n-th log, from 0, FOLDER/n.messages has a line a message as `sluice cat --hash` prints it,
// and FOLDER/n.topics a line a topic: name, type, encoding of the messages, encoding and SHA-256
// of the definition.
import { Bag } from "@foxglove/rosbag";
import { FileReader } from "@foxglove/rosbag/node.js";
import { McapIndexedReader, McapStreamReader } from "@mcap/core";
import { loadDecompressHandlers } from "@mcap/support";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const message = (timeNs, body, topic) => `${timeNs} ${sha256(body)} ${body.length} ${topic}`;

async function readBag(path, decompress) {
  const file = new FileReader(path);
  const bag = new Bag(file, { decompress, parse: false });
  await bag.open();
  const messages = [];
  const isEmpty = bag.chunkInfos.length === 0; // it iterates over no such bag
  for await (const m of isEmpty ? [] : bag.messageIterator()) {
    const timeNs = BigInt(m.timestamp.sec) * 1000000000n + BigInt(m.timestamp.nsec);
    messages.push(message(timeNs, m.data, m.topic));
  }
  await file.close();
  const topics = [...bag.connections.values()].map(
    (c) => `${c.topic} ${c.type} ros1 ros1msg ${sha256(c.messageDefinition)}`);
  return { messages, topics };
}

function describe(channel, schema) {
  return [channel.topic, schema?.name ?? "", channel.messageEncoding, schema?.encoding ?? "",
    sha256(schema?.data ?? "")].join(" ");
}

async function readByIndex(bytes, decompressHandlers) {
  const readable = {
    size: async () => BigInt(bytes.length),
    read: async (offset, size) => bytes.subarray(Number(offset), Number(offset + size)),
  };
  const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers });
  const messages = [];
  for await (const m of reader.readMessages())
    messages.push(message(m.logTime, m.data, reader.channelsById.get(m.channelId).topic));
  const channels = [...reader.channelsById.values()];
  if (reader.statistics && reader.statistics.messageCount !== BigInt(messages.length))
    throw new Error(`statistics count ${reader.statistics.messageCount} messages`);
  return { messages, topics: channels.map((c) => describe(c, reader.schemasById.get(c.schemaId))) };
}

function readAsStream(bytes, decompressHandlers) {
  const reader = new McapStreamReader({ decompressHandlers, validateCrcs: true });
  const schemas = new Map();
  const channels = new Map();
  const messages = [];
  reader.append(bytes);
  for (let record; (record = reader.nextRecord());) {
    if (record.type === "Schema")
      schemas.set(record.id, record);
    else if (record.type === "Channel")
      channels.set(record.id, record);
    else if (record.type === "Message")
      messages.push(message(record.logTime, record.data, channels.get(record.channelId).topic));
  }
  if (!reader.done())
    throw new Error("the stream has no end");
  const topics = [...channels.values()].map((c) => describe(c, schemas.get(c.schemaId)));
  return { messages, topics };
}

const sorted = (seen) => ({ messages: seen.messages.sort(), topics: seen.topics.sort() });

async function readMcap(path, decompress) {
  const bytes = await readFile(path);
  const indexed = sorted(await readByIndex(bytes, decompress));
  if (!isDeepStrictEqual(indexed, sorted(readAsStream(bytes, decompress))))
    throw new Error("the index and the stream tell different things");
  return indexed;
}

const [folder, ...logs] = process.argv.slice(2);
const handlers = await loadDecompressHandlers();
for (const [n, path] of logs.entries()) {
  try {
    const seen = sorted(await (path.endsWith(".bag") ? readBag : readMcap)(path, handlers));
    for (const kind of ["messages", "topics"])
      await writeFile(`${folder}/${n}.${kind}`, seen[kind].map((line) => line + "\n").join(""));
  } catch (error) {
    console.error(`${path}: ${error.message}`);
    process.exitCode = 1;
  }
}
