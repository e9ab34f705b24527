// OpenAI's package for JavaScript. Each case prints a line of JSON, as in with_openai.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The package is in an environment of its own, which Node would not look into from here.
const { default: OpenAI } = createRequire(`${process.env.PACKAGES}/`)("openai");
const { version } = JSON.parse(readFileSync(`${process.env.PACKAGES}/node_modules/openai/package.json`));

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.SECRET, maxRetries: 0 });
const messages = [{ role: "user", content: "Why?" }];
const look = { type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } };
const ask = (model, more = {}, options = {}) => client.chat.completions.create({ model, messages, ...more }, options);

async function all(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}
const words = (chunks) => chunks.map((each) => each.choices[0]?.delta.content ?? "").join("");

const cases = {
  async models() {
    const ids = (await client.models.list()).data.map((each) => each.id);
    assert(ids.includes("roundtable/pair"));
    assert.equal((await client.models.retrieve("wire:words")).id, "wire:words");
  },
  async whole() {
    const found = await ask("wire:words");
    assert.equal(found.choices[0].message.content, "One two three.");
    assert.equal(found.usage.total_tokens, 8);
  },
  async stream() {
    const chunks = await all(ask("wire:words", { stream: true, stream_options: { include_usage: true } }));
    assert.equal(words(chunks), "One two three.");
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.equal(chunks.at(-1).usage.completion_tokens, 3);
  },
  async tools() {
    const stream = client.chat.completions.stream({ model: "wire:tool", messages, tools: [look] });
    const message = (await stream.finalChatCompletion()).choices[0].message;
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { where: "here" });
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "42" };
    const answer = await ask("wire:tool", { messages: [...messages, message, result], tools: [look] });
    assert.equal(answer.choices[0].message.content, "It is 42.");
  },
  async logprobs() {
    const found = await ask("wire:logprobs", { logprobs: true });
    assert.deepEqual(found.choices[0].logprobs.content.map((each) => each.token), ["One", " two", " three."]);
    const chunks = await all(ask("wire:logprobs", { logprobs: true, stream: true }));
    assert.equal(chunks.filter((each) => each.choices[0].logprobs).length, 3);
  },
  async refused() {
    for (const stream of [false, true]) {
      await assert.rejects(ask("nope:x", { stream }), OpenAI.NotFoundError);
      await assert.rejects(ask("wire:limited", { stream }), OpenAI.RateLimitError);
    }
    await assert.rejects(ask("wire:words", { n: 2 }), (error) => error instanceof OpenAI.BadRequestError && error.param === "n");
    await assert.rejects(client.withOptions({ apiKey: "wrong" }).models.list(), OpenAI.AuthenticationError);
  },
  async broken() {
    await assert.rejects(all(ask("wire:broken", { stream: true })), (error) => error instanceof OpenAI.APIError && /on fire/.test(error.message));
  },
  async panel() {
    assert.equal(words(await all(ask("roundtable/pair", { stream: true }))), "**Ada:** One two.\n\n**Ben:** Three.");
  },
  async responses() {
    const events = await all(client.responses.create({ model: "wire:words", input: "Why?", stream: true }));
    assert.equal(events.at(-1).type, "response.completed");
    assert.equal((await client.responses.create({ model: "wire:words", input: "Why?" })).output_text, "One two three.");
  },
  async leave() {
    const stream = await ask("wire:endless", { stream: true });
    let left;
    for await (const chunk of stream) {
      if (!chunk.choices[0].delta.content) continue;
      left = Date.now() / 1000;
      break; // which aborts the request
    }
    return left;
  },
  async leave_whole() {
    const abort = new AbortController();
    const asking = ask("wire:endless", {}, { signal: abort.signal });
    setTimeout(() => abort.abort(), 500);
    await assert.rejects(asking, OpenAI.APIUserAbortError);
    return Date.now() / 1000;
  },
};

console.log(JSON.stringify({ client: `openai ${version} (JavaScript)` }));
for (const [name, run] of Object.entries(cases)) {
  try {
    console.log(JSON.stringify({ case: name, left: (await run()) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ case: name, error: String(error) }));
  }
}
process.exit(0);
