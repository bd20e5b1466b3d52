// src/action/main.ts
import { randomBytes as randomBytes2 } from "node:crypto";

// node_modules/@actions/core/lib/command.js
import * as os from "os";

// node_modules/@actions/core/lib/utils.js
function toCommandValue(input) {
  if (input === null || input === void 0) {
    return "";
  } else if (typeof input === "string" || input instanceof String) {
    return input;
  }
  return JSON.stringify(input);
}
function toCommandProperties(annotationProperties) {
  if (!Object.keys(annotationProperties).length) {
    return {};
  }
  return {
    title: annotationProperties.title,
    file: annotationProperties.file,
    line: annotationProperties.startLine,
    endLine: annotationProperties.endLine,
    col: annotationProperties.startColumn,
    endColumn: annotationProperties.endColumn
  };
}

// node_modules/@actions/core/lib/command.js
function issueCommand(command, properties, message) {
  const cmd = new Command(command, properties, message);
  process.stdout.write(cmd.toString() + os.EOL);
}
var CMD_STRING = "::";
var Command = class {
  constructor(command, properties, message) {
    if (!command) {
      command = "missing.command";
    }
    this.command = command;
    this.properties = properties;
    this.message = message;
  }
  toString() {
    let cmdStr = CMD_STRING + this.command;
    if (this.properties && Object.keys(this.properties).length > 0) {
      cmdStr += " ";
      let first = true;
      for (const key in this.properties) {
        if (this.properties.hasOwnProperty(key)) {
          const val = this.properties[key];
          if (val) {
            if (first) {
              first = false;
            } else {
              cmdStr += ",";
            }
            cmdStr += `${key}=${escapeProperty(val)}`;
          }
        }
      }
    }
    cmdStr += `${CMD_STRING}${escapeData(this.message)}`;
    return cmdStr;
  }
};
function escapeData(s) {
  return toCommandValue(s).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
}
function escapeProperty(s) {
  return toCommandValue(s).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A").replace(/:/g, "%3A").replace(/,/g, "%2C");
}

// node_modules/@actions/core/lib/file-command.js
import * as crypto from "crypto";
import * as fs from "fs";
import * as os2 from "os";
function issueFileCommand(command, message) {
  const filePath = process.env[`GITHUB_${command}`];
  if (!filePath) {
    throw new Error(`Unable to find environment variable for file command ${command}`);
  }
  if (!fs.existsSync(filePath)) {
    throw new Error(`Missing file at path: ${filePath}`);
  }
  fs.appendFileSync(filePath, `${toCommandValue(message)}${os2.EOL}`, {
    encoding: "utf8"
  });
}
function prepareKeyValueMessage(key, value) {
  const delimiter = `ghadelimiter_${crypto.randomUUID()}`;
  const convertedValue = toCommandValue(value);
  if (key.includes(delimiter)) {
    throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`);
  }
  if (convertedValue.includes(delimiter)) {
    throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`);
  }
  return `${key}<<${delimiter}${os2.EOL}${convertedValue}${os2.EOL}${delimiter}`;
}

// node_modules/@actions/core/lib/core.js
import * as os3 from "os";
var ExitCode;
(function(ExitCode2) {
  ExitCode2[ExitCode2["Success"] = 0] = "Success";
  ExitCode2[ExitCode2["Failure"] = 1] = "Failure";
})(ExitCode || (ExitCode = {}));
function exportVariable(name2, val) {
  const convertedVal = toCommandValue(val);
  process.env[name2] = convertedVal;
  const filePath = process.env["GITHUB_ENV"] || "";
  if (filePath) {
    return issueFileCommand("ENV", prepareKeyValueMessage(name2, val));
  }
  issueCommand("set-env", { name: name2 }, convertedVal);
}
function setSecret(secret) {
  issueCommand("add-mask", {}, secret);
}
function getInput(name2, options) {
  const val = process.env[`INPUT_${name2.replace(/ /g, "_").toUpperCase()}`] || "";
  if (options && options.required && !val) {
    throw new Error(`Input required and not supplied: ${name2}`);
  }
  if (options && options.trimWhitespace === false) {
    return val;
  }
  return val.trim();
}
function setOutput(name2, value) {
  const filePath = process.env["GITHUB_OUTPUT"] || "";
  if (filePath) {
    return issueFileCommand("OUTPUT", prepareKeyValueMessage(name2, value));
  }
  process.stdout.write(os3.EOL);
  issueCommand("set-output", { name: name2 }, toCommandValue(value));
}
function setFailed(message) {
  process.exitCode = ExitCode.Failure;
  error(message);
}
function error(message, properties = {}) {
  issueCommand("error", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
function info(message) {
  process.stdout.write(message + os3.EOL);
}
function saveState(name2, value) {
  const filePath = process.env["GITHUB_STATE"] || "";
  if (filePath) {
    return issueFileCommand("STATE", prepareKeyValueMessage(name2, value));
  }
  issueCommand("save-state", { name: name2 }, toCommandValue(value));
}

// src/wire/shape.ts
var ShapeError = class extends Error {
  name = "ShapeError";
  /** Such as `providers[0]`; empty for the whole. */
  field;
  constructor(field, expected, fault = `expected ${expected}`) {
    super(field === "" ? fault : `${field}: ${fault}`);
    this.field = field;
  }
};
var text = (pattern, expected) => (value, field) => {
  if (typeof value !== "string" || !pattern.test(value)) throw new ShapeError(field, expected);
  return value;
};
var integer = (least, most) => (value, field) => {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new ShapeError(field, `a whole number from ${least} to ${most}`);
  return value;
};
var numericDate = (value, field) => {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0 || value > 253402300799)
    throw new ShapeError(field, "a NumericDate, in seconds");
  return value;
};
var oneOf = (...values) => (value, field) => {
  if (!values.includes(value)) throw new ShapeError(field, `one of ${values.join(", ")}`);
  return value;
};
var nullable = (shape) => (value, field) => value === null ? null : shape(value, field);
var list = (shape, least, most) => (value, field) => {
  if (!Array.isArray(value) || value.length < least || value.length > most)
    throw new ShapeError(field, `a list of ${least} to ${most} entries`);
  return value.map((entry, i) => shape(entry, `${field}[${i}]`));
};
var record = (name2, shape, most) => (value, field) => {
  if (!isObject(value) || Object.keys(value).length > most)
    throw new ShapeError(field, `an object of at most ${most} members`);
  const read3 = /* @__PURE__ */ Object.create(null);
  for (const [key, member2] of Object.entries(value)) {
    if (!name2.test(key)) throw new ShapeError(field, "an object with names of the expected form");
    read3[key] = shape(member2, `${field}.${key}`);
  }
  return read3;
};
var object = (required, optional, extra) => (value, field) => {
  if (!isObject(value)) throw new ShapeError(field, "a JSON object");
  const at = (name2) => field === "" ? name2 : `${field}.${name2}`;
  if (extra === "refuse") {
    for (const name2 of Object.keys(value))
      if (!Object.hasOwn(required, name2) && !Object.hasOwn(optional, name2))
        throw new ShapeError(
          at(printable(name2)),
          "a known field",
          `no such field; known are ${[...Object.keys(required), ...Object.keys(optional)].join(", ")}`
        );
  }
  const read3 = {};
  for (const [name2, shape] of Object.entries(required)) {
    if (!Object.hasOwn(value, name2)) throw new ShapeError(at(name2), "this field", "is missing");
    read3[name2] = shape(value[name2], at(name2));
  }
  for (const [name2, shape] of Object.entries(optional))
    if (Object.hasOwn(value, name2)) read3[name2] = shape(value[name2], at(name2));
  return read3;
};
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function printable(name2) {
  return name2.replace(/[^A-Za-z0-9_-]/g, "?").slice(0, 40);
}

// src/wire/discovery.ts
var url = text(/^https?:\/\/[\x21-\x7e]{1,500}$/, "a URL");
var discovery = object(
  {
    audience: text(/^[\x21-\x7e]{1,500}$/, "an audience"),
    version: text(/^[0-9A-Za-z.+-]{1,64}$/, "a version"),
    jwks_uri: url,
    mint_endpoint: url
  },
  {},
  "ignore"
);

// src/wire/problem.ts
var line = text(/^[^\u0000-\u001f\u007f]{0,2000}$/, "a line of text");
var problem = object(
  {
    type: line,
    title: line,
    status: integer(400, 599),
    detail: line,
    code: text(/^[a-z_]{1,64}$/, "a code")
  },
  {},
  "ignore"
);

// src/client/proxy.ts
var ProxyUnusable = class extends Error {
  name = "ProxyUnusable";
};
function proxyFor(url2, env = process.env) {
  if (isLoopback(url2) || isExcepted(url2, env["no_proxy"] || env["NO_PROXY"] || "")) return null;
  const lower = url2.protocol === "https:" ? "https_proxy" : "http_proxy";
  const name2 = env[lower] ? lower : lower.toUpperCase();
  const given = env[name2];
  if (!given) return null;
  if (/^socks/i.test(given.trim()))
    throw new ProxyUnusable(`${name2} names a SOCKS proxy: expected one of http: or https:`);
  const proxy = URL.parse(given.includes("://") ? given : `http://${given}`);
  if (!proxy || !/^https?:$/.test(proxy.protocol) || !canBeDecoded(proxy))
    throw new ProxyUnusable(
      `${name2} is not the URL of a proxy: expected one such as http://proxy.example.com:3128, in which a user name and a password are percent-encoded`
    );
  return proxy;
}
function isLoopback({ hostname }) {
  return hostname === "localhost" || hostname.startsWith("127.") || hostname.startsWith("[::1]");
}
function isExcepted({ hostname, port, protocol }, noProxy) {
  const host = hostname.toUpperCase();
  const hosts = [host, `${host}:${port || (protocol === "https:" ? 443 : 80)}`];
  return noProxy.split(",").map((entry) => entry.trim().toUpperCase()).filter((entry) => entry !== "").some(
    (entry) => entry === "*" || hosts.some((name2) => name2 === entry || name2.endsWith(`.${entry.replace(/^\./, "")}`))
  );
}
function canBeDecoded({ username, password }) {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

// src/client/transport.ts
var agents = /* @__PURE__ */ new Map();
function transport(url2) {
  const secure = url2.protocol === "https:";
  const module = secure ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
  const proxy = proxyFor(url2);
  const key = `${url2.protocol} ${proxy?.href}`;
  let agent = agents.get(key);
  if (!agent) {
    const proxyEnv = proxy ? { proxyEnv: { [secure ? "https_proxy" : "http_proxy"]: proxy.href } } : {};
    agent = new module.Agent({ keepAlive: true, ...proxyEnv });
    agents.set(key, agent);
  }
  return { request: module.request, agent };
}

// src/client/exchange.ts
var MAX_ANSWER_BYTES = 65536;
async function exchange(question) {
  const answer = await send(question);
  if (answer.kind !== "answered") return answer;
  const { status, body } = answer;
  if (status >= 400) return refused(answer);
  if (status >= 300) return nonsense(`status ${status}, a redirect, and redirects are not followed`);
  if (status !== question.status) return nonsense(`status ${status} where ${question.status} was expected`);
  const json = parse(body);
  if (json === void 0) return nonsense("not JSON");
  try {
    return { kind: "ok", value: question.shape(json, "") };
  } catch (error2) {
    if (error2 instanceof ShapeError) return nonsense(error2.message);
    throw error2;
  }
}
function nonsense(why) {
  return { kind: "nonsense", why };
}
function send(question) {
  const { promise, resolve: resolve2 } = Promise.withResolvers();
  const url2 = new URL(question.url);
  let connections;
  try {
    connections = transport(url2);
  } catch (error2) {
    return Promise.resolve({ kind: "unreachable", why: error2 instanceof ProxyUnusable ? error2.message : "no proxy" });
  }
  const { request, agent } = connections;
  const sent = request(url2, {
    method: question.method,
    agent,
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": "till-client",
      ...question.body === void 0 ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(question.body) },
      ...question.headers
    },
    // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in a job's environment does not send ID tokens to anyone.
    rejectUnauthorized: true
  });
  let unsent = true;
  const settle = (outcome) => {
    clearTimeout(timer);
    if (outcome.kind !== "answered") sent.destroy();
    resolve2(outcome.kind === "unreachable" && unsent ? { ...outcome, unsent } : outcome);
  };
  const timer = setTimeout(
    () => settle({ kind: "unreachable", why: `no answer within ${question.timeoutMilliseconds / 1e3} s` }),
    question.timeoutMilliseconds
  );
  sent.once("finish", () => {
    unsent = false;
  });
  sent.on("error", (error2) => settle(brokenOff(error2)));
  sent.once("response", (response) => {
    const limit = question.limit ?? MAX_ANSWER_BYTES;
    const chunks = [];
    let size = 0;
    response.on("data", (chunk) => {
      size += chunk.length;
      if (size > limit) settle(nonsense(`more than ${limit} bytes`));
      else chunks.push(chunk);
    });
    response.once(
      "end",
      () => settle({
        kind: "answered",
        status: response.statusCode,
        retryAfter: response.headers["retry-after"],
        body: Buffer.concat(chunks)
      })
    );
    response.once("error", (error2) => settle(brokenOff(error2)));
  });
  sent.end(question.body);
  return promise;
}
function brokenOff(error2) {
  const code = typeof error2.code === "string" && /^[A-Z0-9_]{1,60}$/.test(error2.code) ? error2.code : "broken off";
  return code.startsWith("HPE_") ? nonsense(`not HTTP (${code})`) : { kind: "unreachable", why: code };
}
function refused(answer) {
  const wait = answer.retryAfter;
  return {
    kind: "refused",
    status: answer.status,
    problem: readProblem(parse(answer.body)),
    retryAfter: wait !== void 0 && /^[0-9]{1,5}$/.test(wait) ? Number(wait) : null
  };
}
function readProblem(json) {
  try {
    return problem(json, "");
  } catch {
    return null;
  }
}
function parse(body) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return void 0;
  }
}

// src/client/discover.ts
function discover(broker, timeoutMilliseconds) {
  return exchange({
    method: "GET",
    url: `${broker}/.well-known/till`,
    status: 200,
    shape: discovery,
    timeoutMilliseconds
  });
}

// src/domain/policy.ts
var MAX_ACTIVATIONS = 1e9;
var MAX_LIFE_SECONDS = 604800;

// src/wire/mint.ts
var PROVIDER_NAME = /^[a-z][a-z0-9-]{0,39}$/;
var POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
var name = text(PROVIDER_NAME, "a provider name");
var policy = text(POLICY_NAME, "a policy name");
var route = text(/^[A-Z]{1,10} \/[\x21-\x7e]{0,1023}$/, 'a route such as "POST /v1/responses"');
var model = text(/^[\x21-\x7e]{1,256}$/, "a model name");
var mintRequest = object(
  { providers: list(name, 1, 32) },
  {
    policy,
    activations: integer(1, MAX_ACTIVATIONS),
    expires_in: integer(1, MAX_LIFE_SECONDS),
    routes: list(route, 1, 256),
    models: list(model, 1, 256)
  },
  "refuse"
);
var MAX_ROUTES = 1024;
var keyId = text(/^k_[0-9A-Za-z]{4,40}$/, "a key id");
var keyText = text(/^till_[0-9A-Za-z]{20,75}$/, "a key");
var baseUrl = object({ base_url: text(/^https?:\/\/[\x21-\x7e]{1,500}$/, "a URL") }, {}, "ignore");
var providers = record(PROVIDER_NAME, baseUrl, 32);
var scope = object(
  { routes: list(text(/^[\x20-\x7e]{1,1100}$/, "a route"), 0, MAX_ROUTES) },
  { models: nullable(list(model, 1, 256)) },
  "ignore"
);
var digits = text(/^[0-9]{1,20}$/, "a number as text");
var mintAnswer = object(
  {
    id: keyId,
    key: keyText,
    policy,
    providers,
    activations: integer(1, MAX_ACTIVATIONS),
    expires_at: numericDate,
    scope,
    comment_by: oneOf("broker", "action"),
    job: object(
      {
        repository: text(/^[\x21-\x7e]{1,256}$/, "a repository name"),
        repository_id: digits,
        run_id: digits,
        run_attempt: digits,
        check_run_id: nullable(digits)
      },
      {},
      "ignore"
    )
  },
  { budget_unit: oneOf("run_attempt") },
  "ignore"
);

// src/client/repeat.ts
import { setTimeout as pause } from "node:timers/promises";
var PAUSE_SECONDS = 1;
async function repeatOnce(deadline, ask2) {
  const left = () => Math.max(1, Math.floor(deadline - performance.now()));
  const first = await ask2(left);
  if (first.kind === "ok" || !isWorthASecondTry(first)) return first;
  const wait = ((first.kind === "refused" ? first.retryAfter : null) ?? PAUSE_SECONDS) * 1e3;
  if (wait + PAUSE_SECONDS * 1e3 > left()) return first;
  await pause(wait);
  return ask2(left);
}
function isWorthASecondTry(failure) {
  if (failure.kind === "unreachable") return true;
  return failure.kind === "refused" && (failure.status >= 500 || failure.status === 408 || failure.status === 429);
}

// src/client/mint.ts
var TRY_MILLISECONDS = 1e4;
async function mint(options) {
  const { broker, request } = options;
  const answers = [];
  const ask2 = async (left) => {
    let token;
    try {
      token = await options.idToken();
    } catch (error2) {
      if (answers[0]) return answers[0];
      throw error2;
    }
    const answer2 = await exchange({
      method: "POST",
      url: `${broker}/v1/keys`,
      headers: { authorization: `Bearer ${token}`, "idempotency-key": options.idempotencyKey },
      body: JSON.stringify(request),
      status: 201,
      shape: received,
      // Only now: getting the token took its time.
      timeoutMilliseconds: Math.min(left(), TRY_MILLISECONDS)
    });
    answers.push(answer2);
    return answer2;
  };
  const answer = await repeatOnce(options.deadline, ask2);
  if (answer.kind !== "ok") return { answer, leftOver: answers.every(mintedNothing) ? "nothing" : "unknown" };
  const { held, minted } = answer.value;
  const objection = typeof minted === "string" ? minted : objectionTo(minted, request, new URL(broker).origin);
  if (objection !== null || typeof minted === "string") return { answer: nonsense(objection), leftOver: held };
  return { answer: { kind: "ok", value: minted }, leftOver: "nothing" };
}
function mintedNothing(answer) {
  if (answer.kind === "unreachable") return answer.unsent === true;
  return answer.kind === "refused" && (answer.status < 500 || answer.problem !== null);
}
var received = (value, field) => {
  try {
    const minted = mintAnswer(value, field);
    return { held: { id: minted.id, key: minted.key }, minted };
  } catch (error2) {
    const held = keyIn(value);
    if (held === null || !(error2 instanceof ShapeError)) throw error2;
    return { held, minted: error2.message };
  }
};
var heldKey = object({ id: keyId, key: keyText }, {}, "ignore");
function keyIn(value) {
  try {
    return heldKey(value, "");
  } catch {
    return null;
  }
}
function objectionTo(answer, request, origin) {
  for (const name2 of request.providers) {
    const provider2 = answer.providers[name2];
    if (!provider2) return `providers: expected ${name2}, and it is missing`;
    if (!isOwnUrl(provider2.base_url, origin)) return `providers.${name2}.base_url: expected a URL of ${origin}`;
  }
  if (request.policy !== void 0 && answer.policy !== request.policy) return "policy: expected the one asked for";
  if (request.activations !== void 0 && answer.activations > request.activations)
    return "activations: expected no more than were asked for";
  return null;
}
function isOwnUrl(text2, origin) {
  const url2 = URL.parse(text2);
  if (url2?.origin !== origin || url2.href !== text2 && url2.href !== `${text2}/`) return false;
  return PATH.test(text2.slice(origin.length));
}
var PATH = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

// src/wire/receipt.ts
var count = integer(0, Number.MAX_SAFE_INTEGER);
var activations = integer(0, MAX_ACTIVATIONS);
var LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,256}$/;
var line2 = text(LINE, "a line of at most 256 characters");
var digits2 = text(/^[0-9]{1,20}$/, "a number as text");
var job = object(
  {
    issuer: line2,
    repository: line2,
    repository_id: digits2,
    repository_owner_id: digits2,
    run_id: digits2,
    run_attempt: digits2,
    check_run_id: nullable(digits2),
    ref: nullable(line2),
    sha: nullable(line2),
    event_name: nullable(line2),
    workflow_ref: nullable(line2),
    actor: nullable(line2)
  },
  {},
  "ignore"
);
var endReason = oneOf(
  "revoked_by_job",
  "revoked_by_operator",
  "job_completed",
  "expired",
  "idle",
  "exhausted",
  "reissued"
);
var provider = text(PROVIDER_NAME, "a provider name");
var route2 = text(/^[\x20-\x7e]{1,1100}$/, "a route");
var MAX_ROWS = 4096;
var receipt = object(
  {
    key_id: keyId,
    policy: text(POLICY_NAME, "a policy name"),
    job,
    providers: list(provider, 1, 32),
    activations: object(
      {
        limit: integer(1, MAX_ACTIVATIONS),
        used: activations,
        given_back: count,
        refused: record(/^[a-z_]{1,64}$/, count, 64)
      },
      {},
      "ignore"
    ),
    minted_at: numericDate,
    expires_at: numericDate,
    first_used_at: nullable(numericDate),
    last_used_at: nullable(numericDate),
    ended_at: nullable(numericDate),
    end_reason: nullable(endReason),
    routes: list(object({ provider, route: route2, activations: count }, {}, "ignore"), 0, MAX_ROWS),
    models: record(LINE, count, MAX_ROWS),
    usage: object({ input_tokens: nullable(count), output_tokens: nullable(count) }, {}, "ignore"),
    audit: object({ events: count, head: text(/^[0-9a-f]{64}$/, "a SHA-256 in hex") }, {}, "ignore")
  },
  {},
  "ignore"
);
var receiptAnswer = object(
  {
    receipt,
    jws: text(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, "a compact JWS"),
    comment_by: oneOf("broker", "action")
  },
  {},
  "ignore"
);

// src/client/receipt.ts
var MAX_RECEIPT_BYTES = 1048576;
var TRY_MILLISECONDS2 = 6e3;
async function revoke(key) {
  return sameKey(key, await repeatOnce(key.deadline, (left) => ask("DELETE", "", key, left())));
}
function ask(method, path, key, milliseconds) {
  return exchange({
    method,
    url: `${key.broker}/v1/keys/${key.keyId}${path}`,
    headers: { authorization: `Bearer ${key.bearer}` },
    status: 200,
    shape: receiptAnswer,
    limit: MAX_RECEIPT_BYTES,
    timeoutMilliseconds: Math.min(milliseconds, TRY_MILLISECONDS2)
  });
}
function sameKey(key, answer) {
  return answer.kind === "ok" && answer.value.receipt.key_id !== key.keyId ? nonsense("receipt.key_id: expected the key that was asked for") : answer;
}

// src/action/agents/claude-code.ts
var claudeCode = {
  needs: [],
  variables: () => ({ CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" })
};

// src/action/agents/ours.ts
function asciiJson(value) {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  );
}
function parseOurs(value) {
  const { made, jobs } = value ?? {};
  const known2 = (made === "nothing" || made === "file" || made === "folder") && Array.isArray(jobs) && jobs.every(isJob);
  return known2 ? { made, jobs } : null;
}
function isJob(value) {
  const { key, base, alive, expires } = value ?? {};
  return [key, base, alive].every((text2) => typeof text2 === "string") && typeof expires === "number";
}

// src/action/agents/toml.ts
function statements(text2) {
  const found = [];
  let table = [];
  let at = 0;
  while (at < text2.length) {
    const start = at;
    const line3 = /[^\n]*\n?/y;
    line3.lastIndex = at;
    const blank = /[ \t\r]*(#[^\n]*)?(\n|$)/y;
    blank.lastIndex = at;
    if (blank.test(text2)) {
      at = blank.lastIndex;
      found.push({ text: text2.slice(start, at), table, key: null });
      continue;
    }
    const header = HEADER.exec(line3.exec(text2)[0]);
    if (header) {
      at = line3.lastIndex;
      table = parts(header[2]);
      found.push({ text: text2.slice(start, at), table, key: null });
      continue;
    }
    PAIR.lastIndex = at;
    const pair = PAIR.exec(text2);
    const end = pair && valueEnd(text2, PAIR.lastIndex);
    if (!pair || end === null) return null;
    at = end;
    found.push({ text: text2.slice(start, at), table, key: parts(pair[1]) });
  }
  return found;
}
var PART = `(?:[A-Za-z0-9_-]+|"(?:[^"\\\\\\n]|\\\\.)*"|'[^'\\n]*')`;
var NAME = `${PART}(?:[ \\t]*\\.[ \\t]*${PART})*`;
var HEADER = new RegExp(`^[ \\t]*(\\[\\[?)[ \\t]*(${NAME})[ \\t]*\\]\\]?[ \\t\\r]*(?:#[^\\n]*)?\\n?$`);
var PAIR = new RegExp(`[ \\t]*(${NAME})[ \\t]*=`, "y");
function parts(name2) {
  return name2.match(new RegExp(PART, "g")).map((part) => part.replace(/^(["'])(.*)\1$/, "$2"));
}
var TOKEN = /"""(?:[^\\]|\\[\s\S])*?"""+|'''[\s\S]*?'''+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[[{]|[\]}]|#[^\n]*|\n|[^"'[\]{}#\n]+/y;
function valueEnd(text2, from) {
  let depth = 0;
  TOKEN.lastIndex = from;
  for (let token = TOKEN.exec(text2); token; token = TOKEN.exec(text2)) {
    if (token[0] === "[" || token[0] === "{") depth++;
    else if (token[0] === "]" || token[0] === "}") depth--;
    else if (token[0] === "\n" && depth === 0) return TOKEN.lastIndex;
    if (depth < 0) return null;
    if (TOKEN.lastIndex === text2.length) return depth === 0 ? text2.length : null;
  }
  return null;
}

// src/action/agents/codex.ts
var codex = {
  needs: ["openai"],
  file: {
    path: ".codex/config.toml",
    format: "TOML with providers as [model_providers.NAME] tables",
    empty: "",
    read,
    write
  }
};
var NOTE = "#till Written by till/mint. Its post step takes this out, and brings back the lines marked #till-. ";
var LEFT_OUT = "#till- ";
var CHOICE = 'model_provider = "till"\n';
function write(own, ours) {
  const kept = statements(own).map(
    (statement) => isChoice(statement) || isInTill(statement) || statement.text.startsWith("#till") ? statement.text.replace(/[^\n]*\n|[^\n]+$/g, (line3) => LEFT_OUT + line3) : statement.text
  );
  return `${NOTE}${asciiJson(ours)}
${CHOICE}${kept.join("")}
[model_providers.till]
name = "Till"
base_url = ${JSON.stringify(ours.jobs.at(-1).base)}
env_key = "OPENAI_API_KEY"
wire_api = "responses"
supports_websockets = false
`;
}
function read(text2) {
  const found = statements(text2);
  if (found === null || found.some(isInlineProviders)) return null;
  const ours = found.map(note).find((noted2) => noted2 !== null);
  if (!ours) return { own: text2, ours: null };
  const chosen = found.some((statement) => isChoice(statement) && statement.text !== CHOICE);
  const own = (part) => part.filter((statement) => !isOurs(statement)).map(({ text: text3 }) => text3.startsWith(LEFT_OUT) ? broughtBack(text3.slice(LEFT_OUT.length), chosen) : text3).join("");
  const table = found.findIndex((statement) => isInTill(statement) && isOurs(statement));
  if (table < 0) return { own: own(found), ours };
  const before = own(found.slice(0, table)).replace(/\n$/, "");
  const after = own(found.slice(table));
  return { own: before + (/[^\n]$/.test(before) && after !== "" ? "\n" : "") + after, ours };
}
function broughtBack(line3, chosen) {
  return chosen && statements(line3)?.some(isChoice) ? "" : line3;
}
function note({ text: text2 }) {
  if (!text2.startsWith(NOTE)) return null;
  try {
    return parseOurs(JSON.parse(text2.slice(NOTE.length)));
  } catch {
    return null;
  }
}
function isOurs(statement) {
  if (isInTill(statement)) return !/^[ \t\r]*(#|\n|$)/.test(statement.text);
  return note(statement) !== null || isChoice(statement) && statement.text === CHOICE;
}
function isChoice({ table, key }) {
  return table.length === 0 && key?.length === 1 && key[0] === "model_provider";
}
function isInTill({ table }) {
  return table[0] === "model_providers" && table[1] === "till";
}
function isInlineProviders({ table, key }) {
  if (key === null) return false;
  return table.length === 0 ? key[0] === "model_providers" : table.length === 1 && table[0] === "model_providers" && key[0] === "till";
}

// src/action/agents/agent.ts
function modelVariable(name2, models) {
  const model2 = models.find((entry) => !entry.includes("*"));
  return model2 === void 0 ? {} : { [name2]: model2 };
}

// src/action/agents/copilot.ts
var copilot = {
  needs: ["openai", "anthropic"],
  variables: ({ bases, key, models }) => {
    const openai = bases.get("openai");
    return {
      COPILOT_PROVIDER_TYPE: openai === void 0 ? "anthropic" : "openai",
      COPILOT_PROVIDER_BASE_URL: openai ?? bases.get("anthropic"),
      COPILOT_PROVIDER_API_KEY: key,
      ...modelVariable("COPILOT_MODEL", models)
    };
  }
};

// src/action/agents/json.ts
function members(text2, from = 0) {
  const found = [];
  const tokens = significant(text2, from);
  let depth = 0;
  for (const [index, { token, at }] of tokens.entries()) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && tokens[index + 1]?.token === ":")
      found.push({ name: JSON.parse(token), start: at, value: tokens[index + 2].at, end: 0, comma: null });
    const last = found.at(-1);
    if (depth === 1 && token === ",") found[found.length - 1] = { ...last, comma: at };
    else if (depth === 1 && last && at >= last.value) found[found.length - 1] = { ...last, end: at + token.length };
    if (depth === 0) break;
  }
  return found;
}
function significant(text2, from) {
  return [...text2.slice(from).matchAll(TOKEN2)].filter(([token]) => !/^(\s|\/[/*])/.test(token)).map(({ 0: token, index }) => ({ token, at: from + index }));
}
var TOKEN2 = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:/]+/g;
function member(text2, from, name2) {
  return members(text2, from).findLast((found) => found.name === name2) ?? null;
}
function insert(text2, from, name2, value) {
  const at = significant(text2, from)[0].at + 1;
  const comma = members(text2, from).length > 0 ? "," : "";
  return `${text2.slice(0, at)}
  ${JSON.stringify(name2)}: ${value}${comma}${text2.slice(at)}`;
}
function remove(text2, from, name2) {
  const all = members(text2, from);
  const index = all.findLastIndex((found) => found.name === name2);
  const { start, end, comma } = all[index];
  const head = text2.slice(0, start).replace(/(?<=[{,])\s+$/, "");
  if (comma !== null) return head + text2.slice(end, comma) + text2.slice(comma + 1);
  const before = all[index - 1]?.comma ?? null;
  return (before === null ? head : head.slice(0, before) + head.slice(before + 1)) + text2.slice(end);
}
function replace(text2, { value, end }, by) {
  return text2.slice(0, value) + by + text2.slice(end);
}

// src/action/agents/gemini-cli.ts
var geminiCli = {
  needs: [],
  variables: () => ({ GEMINI_CLI_TRUST_WORKSPACE: "true" }),
  file: {
    path: ".gemini/settings.json",
    format: "JSON with objects where settings have them",
    empty: "{}\n",
    read: read2,
    write: write2
  }
};
var PATH2 = ["security", "auth", "selectedType"];
var CHOICE2 = "gemini-api-key";
var NOTE2 = "tillMint";
function write2(own, ours) {
  const found = walk(own);
  const [name2, ...below] = PATH2.slice(found.length);
  const last = found.at(-1);
  const note2 = (former) => ({ ours, former, added: PATH2.length - found.length });
  if (name2 === void 0)
    return noted(replace(own, last, JSON.stringify(CHOICE2)), note2(own.slice(last.value, last.end)));
  const value = below.reduceRight((inner2, outer) => ({ [outer]: inner2 }), CHOICE2);
  return noted(insert(own, last?.value ?? 0, name2, JSON.stringify(value)), note2(null));
}
function noted(text2, note2) {
  return insert(text2, 0, NOTE2, asciiJson(note2));
}
function read2(text2) {
  const all = object2(parse2(text2));
  const security = all && inner(all, "security");
  const auth = security && inner(security, "auth");
  if (all === null || auth === null) return null;
  if (!(NOTE2 in all)) return { own: text2, ours: null };
  const { ours: value, former = null, added = 0 } = object2(all[NOTE2]) ?? {};
  const ours = parseOurs(value);
  if (ours === null) return null;
  let own = remove(text2, 0, NOTE2);
  if (auth["selectedType"] !== CHOICE2) return { own, ours };
  if (typeof former === "string") return { own: replace(own, walk(own).at(-1), former), ours };
  for (let depth = PATH2.length - 1; depth >= Math.max(0, PATH2.length - added); depth--) {
    const found = walk(own);
    const isTheirs = depth < PATH2.length - 1 && members(own, found[depth].value).length > 0;
    if (isTheirs) break;
    own = remove(own, found[depth - 1]?.value ?? 0, PATH2[depth]);
  }
  return { own, ours };
}
function walk(text2) {
  const found = [];
  for (const name2 of PATH2) {
    const next = member(text2, found.at(-1)?.value ?? 0, name2);
    if (next === null) break;
    found.push(next);
  }
  return found;
}
function parse2(text2) {
  try {
    return JSON.parse(withoutComments(text2));
  } catch {
    return void 0;
  }
}
function object2(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}
function inner(outer, name2) {
  return name2 in outer ? object2(outer[name2]) : {};
}
function withoutComments(text2) {
  return text2.replace(
    /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (found) => found.startsWith('"') ? found : " "
  );
}

// src/action/agents/opencode.ts
var opencode = {
  needs: [],
  variables: ({ bases }) => {
    const base = bases.get("anthropic");
    return base === void 0 ? {} : { ANTHROPIC_BASE_URL: `${base.replace(/\/$/, "")}/v1` };
  }
};

// src/action/agents/qwen-code.ts
var qwenCode = {
  needs: [],
  variables: ({ models }) => modelVariable("OPENAI_MODEL", models)
};

// src/action/agents/agents.ts
var agents2 = {
  "claude-code": claudeCode,
  codex,
  "gemini-cli": geminiCli,
  opencode,
  copilot,
  "qwen-code": qwenCode
};
var agentNames = Object.keys(agents2);

// src/action/agents/home-files.ts
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync as existsSync2,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

// src/action/step-error.ts
var StepError = class extends Error {
  name = "StepError";
};

// src/action/agents/home-files.ts
var MOST_BYTES = 1024 * 1024;
function homeFiles(names) {
  return names.filter((agent) => fileOf(agent) !== void 0).map(
    (agent) => named(agent, "be kept", () => {
      const path = resolve(join(homedir(), fileOf(agent).path));
      contents(agent, load(path));
      return { agent, path };
    })
  );
}
function write3({ agent, path }, key) {
  named(agent, "be written", () => {
    const former = load(path);
    const { own, ours } = contents(agent, former);
    const made = ours?.made ?? (former ? "nothing" : existsSync2(dirname(path)) ? "file" : "folder");
    const job2 = { ...key, alive: aliveFile(key.key) };
    writeFileSync(job2.alive, "");
    mkdirSync(dirname(path), { recursive: true, mode: 448 });
    replace2(path, fileOf(agent).write(own, { made, jobs: [...others(ours, key.key), job2] }), former);
  });
}
function fileOf(agent) {
  const { file } = agents2[agent];
  return file;
}
function named(agent, what, work) {
  try {
    return work();
  } catch (error2) {
    if (error2 instanceof StepError) throw error2;
    const { code, message } = error2;
    throw new StepError(
      `Cannot set up the agent ${agent}: ~/${fileOf(agent).path} cannot ${what} (${code ?? message}). Mend the file, or remove it before this step.`
    );
  }
}
function resolve(path) {
  try {
    return realpathSync(path);
  } catch (error2) {
    if (error2.code !== "ENOENT") throw error2;
  }
  for (const place of [path, dirname(path)])
    if (lstatSync(place, { throwIfNoEntry: false }) && !existsSync2(place)) throw new Error("it is a link to nothing");
  return path;
}
function load(path) {
  let file;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error2) {
    if (error2.code === "ENOENT") return null;
    throw error2;
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error("it is not a regular file");
    if (stats.size > MOST_BYTES) throw new Error("it is larger than 1 MiB");
    return { text: readFileSync(file, "latin1"), stats };
  } finally {
    closeSync(file);
  }
}
function contents(agent, loaded) {
  const file = fileOf(agent);
  const found = file.read(loaded?.text ?? file.empty);
  if (found !== null) return found;
  throw new StepError(
    `Cannot set up the agent ${agent}: ~/${file.path} is not ${file.format}. Mend the file, or remove it before this step.`
  );
}
function others(ours, key) {
  const now = Date.now() / 1e3;
  return (ours?.jobs ?? []).filter((job2) => job2.key !== key && job2.expires > now && existsSync2(job2.alive));
}
function aliveFile(key) {
  return join(process.env["RUNNER_TEMP"] || tmpdir(), `till-${key}`);
}
function replace2(path, text2, former) {
  const temporary = join(dirname(path), `.${basename(path)}.till-${randomBytes(6).toString("hex")}`);
  try {
    fill(temporary, text2, former?.stats);
    renameSync(temporary, path);
  } catch (error2) {
    rmSync(temporary, { force: true });
    throw error2;
  }
}
function fill(path, text2, like) {
  const file = openSync(path, "wx", 384);
  try {
    writeFileSync(file, text2, "latin1");
    if (!like) return;
    const { uid, gid } = fstatSync(file);
    if (uid !== like.uid || gid !== like.gid) fchownSync(file, like.uid, like.gid);
    fchmodSync(file, like.mode & 4095);
  } finally {
    closeSync(file);
  }
}

// src/action/printable.ts
function printable2(text2, most = 600) {
  const line3 = text2.toWellFormed().replace(UNPRINTABLE, "\uFFFD").replace(/:(?=:)/g, ": ").replace(/##(?=\[)/g, "## ");
  return line3.length > most ? `${line3.slice(0, most - 1).toWellFormed()}\u2026` : line3;
}
var UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

// src/action/explain.ts
function explain(act, broker, failure) {
  const cannot = `Cannot ${act.what}:`;
  if (failure.kind === "unreachable")
    return `${cannot} the broker at ${broker} did not answer (${failure.why}). ${act.unanswered}`;
  if (failure.kind === "nonsense")
    return `${cannot} ${broker} does not answer as a broker of Till does (${printable2(failure.why)}). ${act.strange}`;
  const { problem: problem2, status } = failure;
  if (problem2 === null)
    return `${cannot} ${broker} answered with status ${status}, and not as a broker of Till does. ${act.strange}`;
  const said = printable2(problem2.detail).replace(/^Cannot [^:]{1,40}: /, "").replace(/[.\s]+$/, "");
  const remedy = act.refused[problem2.code] ?? act.otherwise;
  return `${cannot} ${said} (${problem2.code}).${remedy === void 0 ? "" : ` ${remedy}`}`;
}
var BETWEEN = "Check the input broker, and what stands between this runner and the broker.";
var NOT_WELL = "Run the job again, and tell the broker's operator.";
var MINT = {
  what: "mint a key",
  unanswered: "Check the input broker, that the broker runs, and that this runner may reach it.",
  strange: BETWEEN,
  refused: {
    request_invalid: "Check the inputs of this step.",
    token_invalid: "Check that the broker trusts the issuer of this server and that its public_url has the origin of the input broker.",
    token_replayed: "Run the job again.",
    policy_denied: "Ask the broker's operator for a policy that covers this job, or ask for less.",
    already_minted: "One job has one budget under each policy: use the outputs of the step that minted first, or name another policy with the input policy.",
    job_ended: "Run the job again.",
    not_found: "Check the input broker: it is the public_url of the broker, with its path.",
    limit_exceeded: "Wait until other jobs have ended, or ask the broker's operator to raise the policy's limits.",
    storage_unavailable: NOT_WELL,
    issuer_keys_unavailable: NOT_WELL,
    credential_missing: "Tell the broker's operator to enrol it with `till credential set`."
  }
};
function revoking(keyId2) {
  const operator = `If it may not live on, the broker's operator ends it with \`till keys revoke ${keyId2}\`.`;
  return { what: `revoke key ${keyId2}`, unanswered: operator, strange: operator, refused: {}, otherwise: operator };
}

// src/action/id-token.ts
import { readFileSync as readFileSync2 } from "node:fs";

// src/action/mask.ts
function mask(secret) {
  if (secret !== "") setSecret(secret);
}
function maskKey(key) {
  const bytes = Buffer.from(key);
  const hex = bytes.toString("hex");
  for (const form of [key, hex, hex.toUpperCase(), bytes.toString("base64url"), bytes.toString("base64")]) mask(form);
}

// src/action/id-token.ts
var TRY_MILLISECONDS3 = 5e3;
var TRIES = 3;
var tokenAnswer = object(
  { value: text(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, "an ID token") },
  {},
  "ignore"
);
async function idToken(audience2, deadline) {
  const url2 = process.env["ACTIONS_ID_TOKEN_REQUEST_URL"];
  const bearer = process.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
  if (!url2 || !bearer || !URL.canParse(url2)) throw new StepError(isForksPullRequest() ? FORK : NO_PERMISSION);
  mask(bearer);
  const question = {
    method: "GET",
    url: `${url2}${url2.includes("?") ? "&" : "?"}audience=${encodeURIComponent(audience2)}`,
    headers: { authorization: `Bearer ${bearer}` },
    status: 200,
    shape: tokenAnswer
  };
  let answer = { kind: "unreachable", why: "no time left" };
  for (let left = TRIES; left > 0; left--) {
    const milliseconds = Math.min(TRY_MILLISECONDS3, Math.floor(deadline - performance.now()));
    if (milliseconds <= 0) break;
    answer = await exchange({ ...question, timeoutMilliseconds: milliseconds });
    if (answer.kind === "ok") {
      mask(answer.value.value);
      return answer.value.value;
    }
    if (!isWorthASecondTry(answer)) break;
  }
  throw new StepError(
    `Cannot get an ID token: GitHub's token service did not give one (${reason(answer)}). Run the job again; https://www.githubstatus.com tells of outages.`
  );
}
var NO_PERMISSION = "Cannot get an ID token: the job has no permission for it. Add `permissions: id-token: write` to the job (permissions that are not named are then none: name `contents: read` too if the job checks out).";
var FORK = "Cannot get an ID token: this is the pull request of a fork, and GitHub gives those none. Skip the step with `if: github.event.pull_request.head.repo.full_name == github.repository`.";
function isForksPullRequest() {
  if (process.env["GITHUB_EVENT_NAME"] === "pull_request_target") return false;
  try {
    const { pull_request } = JSON.parse(readFileSync2(process.env["GITHUB_EVENT_PATH"] ?? "", "utf8"));
    const head = pull_request.head.repo;
    return head === null || head.full_name !== (pull_request.base?.repo?.full_name ?? process.env["GITHUB_REPOSITORY"]);
  } catch {
    return false;
  }
}
function reason(answer) {
  if (answer.kind === "ok") return "no reason";
  return answer.kind === "refused" ? `status ${answer.status}` : answer.why;
}

// src/action/variables.ts
var row = (prefix) => ({ key: `${prefix}_API_KEY`, base: `${prefix}_BASE_URL` });
var known = /* @__PURE__ */ new Map([
  ["openai", row("OPENAI")],
  ["anthropic", row("ANTHROPIC")],
  ["gemini", { key: "GEMINI_API_KEY", base: "GOOGLE_GEMINI_BASE_URL" }],
  ["groq", row("GROQ")],
  ["mistral", { key: "MISTRAL_API_KEY", base: null }],
  ["cohere", { key: "CO_API_KEY", base: null }],
  ["openrouter", row("OPENROUTER")],
  ["together", row("TOGETHER")],
  ["fireworks", row("FIREWORKS")],
  ["perplexity", row("PERPLEXITY")],
  ["deepseek", row("DEEPSEEK")],
  ["xai", row("XAI")]
]);
var taken = /* @__PURE__ */ new Set([
  ...[...known.values()].flatMap(({ key, base }) => base === null ? [key] : [key, base]),
  "CODEX_API_KEY",
  "COPILOT_PROVIDER_API_KEY",
  "COPILOT_PROVIDER_BASE_URL",
  "GOOGLE_API_KEY",
  "GOOGLE_VERTEX_BASE_URL",
  "KIMI_API_KEY",
  "KIMI_BASE_URL",
  "KIMI_MODEL_API_KEY",
  "KIMI_MODEL_BASE_URL"
]);
var RESERVED = /^(GITHUB|RUNNER|ACTIONS|INPUT|STATE|LD|DYLD|BASH|NODE|NPM_CONFIG|TILL)_/;
function variablesOf(provider2) {
  const variables = known.get(provider2);
  if (variables) return variables;
  const own = { key: `${nameOf(provider2)}_API_KEY`, base: `${nameOf(provider2)}_BASE_URL` };
  const collides = [own.key, own.base].find((name2) => taken.has(name2) || RESERVED.test(name2));
  return collides === void 0 ? own : { collides };
}
function nameOf(provider2) {
  return provider2.toUpperCase().replaceAll("-", "_");
}

// src/action/inputs.ts
var comments = ["auto", "always", "never"];
var failOns = ["refused", "exhausted", "unrevoked"];
function readInputs() {
  const problems = [];
  const broker = brokerUrl(problems);
  checkProxy(broker, problems);
  const request = mintInputs(problems);
  const inputs = {
    broker,
    audience: audience(broker, problems),
    request,
    exportEnv: flag("export-env", true, problems),
    agents: words("agent", agentNames, problems)
  };
  if (inputs.exportEnv) {
    for (const provider2 of request.providers) if (PROVIDER_NAME.test(provider2)) checkVariables(provider2, problems);
  }
  for (const name2 of inputs.agents) checkProvider(name2, request.providers, problems);
  reportInputs(problems);
  return orThrow(inputs, problems);
}
function reportInputs(problems) {
  return {
    summary: flag("summary", true, problems),
    comment: word("comment", comments, "auto", problems),
    failOn: words("fail-on", failOns, problems)
  };
}
function orThrow(value, problems) {
  if (problems.length > 0) throw new StepError(problems.join("\n"));
  return value;
}
function mintInputs(problems) {
  const routes = getInput("routes").split("\n");
  const fields = {
    providers: [...new Set(list2("provider"))],
    policy: getInput("policy") || void 0,
    activations: whole("activations", getInput("activations"), problems),
    expires_in: seconds(getInput("expires-in"), problems),
    routes: orNone(routes.map((line3) => line3.trim().replace(/[ \t]+/, " ")).filter((line3) => line3 !== "")),
    models: orNone(list2("models"))
  };
  const asked = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== void 0));
  if (fields.providers.length === 0) problems.push("Input required and not supplied: provider.");
  else checkField("providers", fields.providers, problems);
  for (const [field, value] of Object.entries(asked)) if (field !== "providers") checkField(field, value, problems);
  return asked;
}
function checkField(field, value, problems) {
  try {
    mintRequest({ providers: ["any"], [field]: value }, "");
  } catch (error2) {
    if (!(error2 instanceof ShapeError)) throw error2;
    const input = field === "providers" ? "provider" : field.replace("_", "-");
    const expected = error2.message.slice(error2.message.indexOf("expected"));
    problems.push(`Cannot read the input ${input}: ${expected}, got ${quoted(getInput(input))}.`);
  }
}
function brokerUrl(problems) {
  const given = getInput("broker");
  const refuse = (why) => {
    const shown = given.replace(/^(https?:\/\/)?.*@/is, "$1\u2026@");
    problems.push(`Cannot use the input broker, ${quoted(shown)}: ${why}.`);
    return "";
  };
  if (given === "") {
    problems.push("Input required and not supplied: broker.");
    return "";
  }
  const url2 = URL.parse(given);
  if (!url2 || !/^https?:\/\/[\x21-\x7e]+$/i.test(given) || given.includes("\\"))
    return refuse("expected a URL such as https://till.example.com");
  if (/[?#@]/.test(given)) return refuse("expected a URL without user name, query and fragment");
  if (given.includes("%")) return refuse("expected a URL without percent encoding");
  if (url2.protocol === "http:" && !/^http:\/\/(127\.0\.0\.1|\[::1\])([:/]|$)/i.test(given))
    return refuse("expected https:, since http: is for 127.0.0.1 and [::1] alone");
  if (!/^(\/[A-Za-z0-9._~-]+)*\/*$/.test(url2.pathname)) return refuse("expected a path of letters, digits and . _ ~ -");
  return url2.href.replace(/\/+$/, "");
}
function checkProxy(broker, problems) {
  try {
    if (broker !== "") proxyFor(new URL(broker));
  } catch (error2) {
    if (!(error2 instanceof ProxyUnusable)) throw error2;
    problems.push(`Cannot reach the broker through a proxy: ${error2.message}.`);
  }
}
function audience(broker, problems) {
  const given = getInput("audience");
  if (given === "") return broker === "" ? "" : new URL(broker).origin;
  if (!/^[\x21-\x7e]{1,500}$/.test(given))
    problems.push(
      `Cannot read the input audience: expected up to 500 ASCII characters without spaces, got ${quoted(given)}.`
    );
  return given;
}
function checkVariables(provider2, problems) {
  const variables = variablesOf(provider2);
  if ("collides" in variables)
    problems.push(
      `Cannot export variables for the provider ${quoted(provider2)}: ${variables.collides} is read by something else. Rename the provider in till.yaml, or set export-env to false and use the outputs.`
    );
}
function checkProvider(agent, providers2, problems) {
  const { needs } = agents2[agent];
  if (needs.length > 0 && !needs.some((name2) => providers2.includes(name2)))
    problems.push(`Cannot set up the agent ${agent}: it needs ${needs.join(" or ")} in the input provider.`);
}
function flag(name2, otherwise, problems) {
  const given = getInput(name2);
  if (given === "") return otherwise;
  if (!/^(true|false)$/i.test(given))
    problems.push(`Cannot read the input ${name2}: expected true or false, got ${quoted(given)}.`);
  return given.toLowerCase() === "true";
}
function words(name2, allowed, problems) {
  const given = [...new Set(list2(name2))];
  for (const word2 of given)
    if (!allowed.includes(word2))
      problems.push(`Cannot read the input ${name2}: expected ${allowed.join(", ")}, got ${quoted(word2)}.`);
  return given.filter((word2) => allowed.includes(word2));
}
function word(name2, allowed, otherwise, problems) {
  const [first = otherwise, ...more] = words(name2, allowed, problems);
  if (more.length > 0)
    problems.push(
      `Cannot read the input ${name2}: expected one of ${allowed.join(", ")}, got ${quoted(getInput(name2))}.`
    );
  return first;
}
function seconds(given, problems) {
  if (given === "") return void 0;
  const read3 = /^([0-9]{1,9})(s|m|h|)$/.exec(given);
  if (read3) return Number(read3[1]) * SECONDS[read3[2]];
  problems.push(`Cannot read the input expires-in: expected seconds, or such as 30m or 1h, got ${quoted(given)}.`);
  return void 0;
}
var SECONDS = { "": 1, s: 1, m: 60, h: 3600 };
function whole(name2, given, problems) {
  if (given === "") return void 0;
  if (/^[0-9]{1,15}$/.test(given)) return Number(given);
  problems.push(`Cannot read the input ${name2}: expected a whole number, got ${quoted(given)}.`);
  return void 0;
}
function list2(name2) {
  return getInput(name2).split(/[\s,]+/).filter((word2) => word2 !== "");
}
function orNone(values) {
  return values.length === 0 ? void 0 : values;
}
function quoted(text2) {
  return `"${printable2(text2, 100)}"`;
}

// src/action/rfc3339.ts
function rfc3339(instant) {
  return new Date(Math.floor(instant) * 1e3).toISOString().replace(".000Z", "Z");
}

// src/action/state.ts
var state = {
  /** Before a mint is asked for, so that post can end a key whose answer never came: {@link Begun} as JSON. */
  begun: "begun",
  broker: "broker",
  audience: "audience",
  keyId: "key-id",
  expiresAt: "expires-at",
  files: "files"
};

// src/action/main.ts
var ALL_MILLISECONDS = 5e4;
var END_MILLISECONDS = 5e3;
var DISCOVERY_MILLISECONDS = 5e3;
async function main() {
  const deadline = performance.now() + ALL_MILLISECONDS;
  mask(getInput("github-token"));
  const inputs = readInputs();
  const files = homeFiles(inputs.agents);
  const minted = await mintKey(inputs, deadline);
  try {
    maskKey(minted.key);
    saveState(state.keyId, minted.id);
    saveState(state.expiresAt, String(Math.floor(minted.expires_at)));
    if (files.length > 0) saveState(state.files, JSON.stringify(files));
    handOver(inputs, minted, files);
  } catch (error2) {
    await endAtOnce(inputs.broker, minted);
    throw error2;
  }
  const unit = minted.budget_unit === "run_attempt" ? " for all jobs of this run attempt" : "";
  info(
    `Minted key ${minted.id} under policy "${minted.policy}": ${minted.activations} activations${unit}, expires at ${rfc3339(minted.expires_at)}.`
  );
}
async function mintKey(inputs, deadline) {
  const { broker } = inputs;
  const [first, published] = await Promise.all([
    idToken(inputs.audience, deadline),
    discover(broker, DISCOVERY_MILLISECONDS)
  ]);
  if (published.kind === "ok") refuseOtherBroker(published.value, inputs);
  const begun = { idempotencyKey: randomBytes2(24).toString("base64url"), request: inputs.request };
  saveState(state.broker, broker);
  saveState(state.audience, inputs.audience);
  saveState(state.begun, JSON.stringify(begun));
  const fresh = [first];
  const { answer, leftOver } = await mint({
    broker,
    idToken: async () => fresh.pop() ?? idToken(inputs.audience, deadline),
    ...begun,
    deadline
  });
  if (answer.kind === "ok") return answer.value;
  if (leftOver === "nothing") saveState(state.begun, "");
  else if (leftOver !== "unknown") await endAtOnce(broker, leftOver);
  const more = leftOver === "unknown" ? " If the broker minted one all the same, post tries to end it." : "";
  throw new StepError(`${explain(MINT, broker, answer)}${more}`);
}
function refuseOtherBroker(published, { broker, audience: audience2 }) {
  const { origin } = new URL(broker);
  const itsOrigin = URL.parse(published.mint_endpoint)?.origin ?? "";
  if (itsOrigin !== origin)
    throw new StepError(
      `Cannot mint a key: the broker at ${broker} says that jobs reach it at ${printable2(itsOrigin, 200)}, and what it gives them is for there. Use the broker's public_url as \`broker\`, if that is the broker you mean.`
    );
  if (published.audience !== audience2)
    throw new StepError(
      `Cannot mint a key: the broker at ${broker} expects tokens for the audience "${printable2(published.audience, 200)}", and this step has them for "${printable2(audience2, 200)}". ` + (published.audience === origin ? "Leave out the input audience." : "If that is the broker you mean, set the input audience to what it expects.")
    );
}
async function endAtOnce(broker, { id, key }) {
  try {
    maskKey(key);
    const answer = await revoke({ broker, keyId: id, bearer: key, deadline: performance.now() + END_MILLISECONDS });
    if (answer.kind !== "ok") info(`${explain(revoking(id), broker, answer)} Post tries again.`);
    else if (answer.value.receipt.ended_at !== null) info(`Key ${id} is revoked.`);
    saveState(state.keyId, id);
  } catch (error2) {
    info(printable2(String(error2)));
  }
}
function handOver({ request, exportEnv, agents: names }, minted, files) {
  const bases = new Map(request.providers.map((name2) => [name2, minted.providers[name2].base_url]));
  setOutput("key", minted.key);
  setOutput("key-id", minted.id);
  setOutput("base-url", bases.get(request.providers[0]));
  setOutput("base-urls", JSON.stringify(Object.fromEntries(bases)));
  setOutput("activations", String(minted.activations));
  setOutput("expires-at", rfc3339(minted.expires_at));
  const setting = { key: minted.key, bases, models: request.models ?? [] };
  if (exportEnv) {
    for (const [provider2, base2] of bases) exportProvider(provider2, base2, minted.key);
    for (const name2 of names)
      for (const [variable, value] of Object.entries(agents2[name2].variables?.(setting) ?? {}))
        exportVariable(variable, value);
  }
  const base = bases.get("openai") ?? "";
  for (const file of files) write3(file, { key: minted.id, base, expires: minted.expires_at });
}
function exportProvider(provider2, base, key) {
  const variables = variablesOf(provider2);
  if ("collides" in variables) throw new StepError(`Cannot export ${variables.collides}`);
  exportVariable(variables.key, key);
  if (variables.base !== null) exportVariable(variables.base, base);
}
try {
  await main();
} catch (error2) {
  setFailed(error2 instanceof StepError ? error2.message : `Cannot mint a key: ${printable2(String(error2))}`);
}
/*!
Contains parts of @actions/core.

The MIT License (MIT)

Copyright 2019 GitHub

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
