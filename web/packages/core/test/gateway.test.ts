import { afterEach, expect, test, vi } from "vitest";
import { Gateway } from "../src/gateway";

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body: string): void {
  vi.stubGlobal("fetch", async () => new Response(body, { status }));
}

test("a refusal keeps its code, words and time", async () => {
  answering(429, JSON.stringify({ code: "too-many-plays", message: "too many", retryMs: 900 }));
  await expect(new Gateway().films()).rejects.toMatchObject({ code: "too-many-plays", message: "too many", retryMs: 900 });
});

test("what is not from the gateway is told apart by its status", async () => {
  answering(502, "<html>");
  await expect(new Gateway().films()).rejects.toMatchObject({ code: "unreachable" });
  answering(404, "<html>");
  await expect(new Gateway().films()).rejects.toMatchObject({ code: "http" });
});

test("no answer is unreachable, a call that was given up is not", async () => {
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("failed to fetch");
  });
  await expect(new Gateway().films()).rejects.toMatchObject({ code: "unreachable" });
  const signal = AbortSignal.abort();
  const grant = { body: {} as never, signature: "0x" as const };
  await expect(new Gateway().delivery(grant, signal)).rejects.toThrow(TypeError);
});

test("an RPC error keeps the refusal's code", async () => {
  answering(200, JSON.stringify({ id: 1, error: { code: -32010, message: "too early", data: { code: "too-early" } } }));
  await expect(new Gateway().rpc("cfx_x")).rejects.toMatchObject({ code: "too-early" });
});
