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

// node_modules/@actions/core/lib/core.js
import * as os2 from "os";

// node_modules/@actions/core/lib/summary.js
import { EOL as EOL2 } from "os";
import { constants, promises } from "fs";
var __awaiter = function(thisArg, _arguments, P, generator) {
  function adopt(value) {
    return value instanceof P ? value : new P(function(resolve) {
      resolve(value);
    });
  }
  return new (P || (P = Promise))(function(resolve, reject) {
    function fulfilled(value) {
      try {
        step(generator.next(value));
      } catch (e) {
        reject(e);
      }
    }
    function rejected(value) {
      try {
        step(generator["throw"](value));
      } catch (e) {
        reject(e);
      }
    }
    function step(result) {
      result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
    }
    step((generator = generator.apply(thisArg, _arguments || [])).next());
  });
};
var { access, appendFile, writeFile } = promises;
var SUMMARY_ENV_VAR = "GITHUB_STEP_SUMMARY";
var Summary = class {
  constructor() {
    this._buffer = "";
  }
  /**
   * Finds the summary file path from the environment, rejects if env var is not found or file does not exist
   * Also checks r/w permissions.
   *
   * @returns step summary file path
   */
  filePath() {
    return __awaiter(this, void 0, void 0, function* () {
      if (this._filePath) {
        return this._filePath;
      }
      const pathFromEnv = process.env[SUMMARY_ENV_VAR];
      if (!pathFromEnv) {
        throw new Error(`Unable to find environment variable for $${SUMMARY_ENV_VAR}. Check if your runtime environment supports job summaries.`);
      }
      try {
        yield access(pathFromEnv, constants.R_OK | constants.W_OK);
      } catch (_a) {
        throw new Error(`Unable to access summary file: '${pathFromEnv}'. Check if the file has correct read/write permissions.`);
      }
      this._filePath = pathFromEnv;
      return this._filePath;
    });
  }
  /**
   * Wraps content in an HTML tag, adding any HTML attributes
   *
   * @param {string} tag HTML tag to wrap
   * @param {string | null} content content within the tag
   * @param {[attribute: string]: string} attrs key-value list of HTML attributes to add
   *
   * @returns {string} content wrapped in HTML element
   */
  wrap(tag, content, attrs = {}) {
    const htmlAttrs = Object.entries(attrs).map(([key, value]) => ` ${key}="${value}"`).join("");
    if (!content) {
      return `<${tag}${htmlAttrs}>`;
    }
    return `<${tag}${htmlAttrs}>${content}</${tag}>`;
  }
  /**
   * Writes text in the buffer to the summary buffer file and empties buffer. Will append by default.
   *
   * @param {SummaryWriteOptions} [options] (optional) options for write operation
   *
   * @returns {Promise<Summary>} summary instance
   */
  write(options) {
    return __awaiter(this, void 0, void 0, function* () {
      const overwrite = !!(options === null || options === void 0 ? void 0 : options.overwrite);
      const filePath = yield this.filePath();
      const writeFunc = overwrite ? writeFile : appendFile;
      yield writeFunc(filePath, this._buffer, { encoding: "utf8" });
      return this.emptyBuffer();
    });
  }
  /**
   * Clears the summary buffer and wipes the summary file
   *
   * @returns {Summary} summary instance
   */
  clear() {
    return __awaiter(this, void 0, void 0, function* () {
      return this.emptyBuffer().write({ overwrite: true });
    });
  }
  /**
   * Returns the current summary buffer as a string
   *
   * @returns {string} string of summary buffer
   */
  stringify() {
    return this._buffer;
  }
  /**
   * If the summary buffer is empty
   *
   * @returns {boolen} true if the buffer is empty
   */
  isEmptyBuffer() {
    return this._buffer.length === 0;
  }
  /**
   * Resets the summary buffer without writing to summary file
   *
   * @returns {Summary} summary instance
   */
  emptyBuffer() {
    this._buffer = "";
    return this;
  }
  /**
   * Adds raw text to the summary buffer
   *
   * @param {string} text content to add
   * @param {boolean} [addEOL=false] (optional) append an EOL to the raw text (default: false)
   *
   * @returns {Summary} summary instance
   */
  addRaw(text2, addEOL = false) {
    this._buffer += text2;
    return addEOL ? this.addEOL() : this;
  }
  /**
   * Adds the operating system-specific end-of-line marker to the buffer
   *
   * @returns {Summary} summary instance
   */
  addEOL() {
    return this.addRaw(EOL2);
  }
  /**
   * Adds an HTML codeblock to the summary buffer
   *
   * @param {string} code content to render within fenced code block
   * @param {string} lang (optional) language to syntax highlight code
   *
   * @returns {Summary} summary instance
   */
  addCodeBlock(code2, lang) {
    const attrs = Object.assign({}, lang && { lang });
    const element = this.wrap("pre", this.wrap("code", code2), attrs);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML list to the summary buffer
   *
   * @param {string[]} items list of items to render
   * @param {boolean} [ordered=false] (optional) if the rendered list should be ordered or not (default: false)
   *
   * @returns {Summary} summary instance
   */
  addList(items, ordered = false) {
    const tag = ordered ? "ol" : "ul";
    const listItems = items.map((item) => this.wrap("li", item)).join("");
    const element = this.wrap(tag, listItems);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML table to the summary buffer
   *
   * @param {SummaryTableCell[]} rows table rows
   *
   * @returns {Summary} summary instance
   */
  addTable(rows) {
    const tableBody = rows.map((row2) => {
      const cells = row2.map((cell) => {
        if (typeof cell === "string") {
          return this.wrap("td", cell);
        }
        const { header, data, colspan, rowspan } = cell;
        const tag = header ? "th" : "td";
        const attrs = Object.assign(Object.assign({}, colspan && { colspan }), rowspan && { rowspan });
        return this.wrap(tag, data, attrs);
      }).join("");
      return this.wrap("tr", cells);
    }).join("");
    const element = this.wrap("table", tableBody);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds a collapsable HTML details element to the summary buffer
   *
   * @param {string} label text for the closed state
   * @param {string} content collapsable content
   *
   * @returns {Summary} summary instance
   */
  addDetails(label, content) {
    const element = this.wrap("details", this.wrap("summary", label) + content);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML image tag to the summary buffer
   *
   * @param {string} src path to the image you to embed
   * @param {string} alt text description of the image
   * @param {SummaryImageOptions} options (optional) addition image attributes
   *
   * @returns {Summary} summary instance
   */
  addImage(src, alt, options) {
    const { width, height } = options || {};
    const attrs = Object.assign(Object.assign({}, width && { width }), height && { height });
    const element = this.wrap("img", null, Object.assign({ src, alt }, attrs));
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML section heading element
   *
   * @param {string} text heading text
   * @param {number | string} [level=1] (optional) the heading level, default: 1
   *
   * @returns {Summary} summary instance
   */
  addHeading(text2, level) {
    const tag = `h${level}`;
    const allowedTag = ["h1", "h2", "h3", "h4", "h5", "h6"].includes(tag) ? tag : "h1";
    const element = this.wrap(allowedTag, text2);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML thematic break (<hr>) to the summary buffer
   *
   * @returns {Summary} summary instance
   */
  addSeparator() {
    const element = this.wrap("hr", null);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML line break (<br>) to the summary buffer
   *
   * @returns {Summary} summary instance
   */
  addBreak() {
    const element = this.wrap("br", null);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML blockquote to the summary buffer
   *
   * @param {string} text quote text
   * @param {string} cite (optional) citation url
   *
   * @returns {Summary} summary instance
   */
  addQuote(text2, cite) {
    const attrs = Object.assign({}, cite && { cite });
    const element = this.wrap("blockquote", text2, attrs);
    return this.addRaw(element).addEOL();
  }
  /**
   * Adds an HTML anchor tag to the summary buffer
   *
   * @param {string} text link text/content
   * @param {string} href hyperlink
   *
   * @returns {Summary} summary instance
   */
  addLink(text2, href) {
    const element = this.wrap("a", text2, { href });
    return this.addRaw(element).addEOL();
  }
};
var _summary = new Summary();
var summary = _summary;

// node_modules/@actions/core/lib/core.js
var ExitCode;
(function(ExitCode2) {
  ExitCode2[ExitCode2["Success"] = 0] = "Success";
  ExitCode2[ExitCode2["Failure"] = 1] = "Failure";
})(ExitCode || (ExitCode = {}));
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
function setFailed(message) {
  process.exitCode = ExitCode.Failure;
  error(message);
}
function error(message, properties = {}) {
  issueCommand("error", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
function warning(message, properties = {}) {
  issueCommand("warning", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
function info(message) {
  process.stdout.write(message + os2.EOL);
}
function getState(name2) {
  return process.env[`STATE_${name2}`] || "";
}

// src/domain/refusal.ts
var catalogue = {
  // Data plane
  activations_exhausted: {
    status: 410,
    codex: 400,
    title: "All activations are spent",
    meaning: "The key was good for a number of requests, and all of them were made. Nothing was sent to the provider.",
    remedy: "Ask for more with the input `activations`, up to what the policy gives; beyond that the operator raises `activations` in the policy. A job gets one key of a policy, so a new budget needs a new run."
  },
  key_expired: {
    status: 410,
    codex: 400,
    title: "The key has expired",
    meaning: "Its time is over, or it was not used for longer than the policy allows (`idle_after`).",
    remedy: "Mint closer to where the key is used; ask for longer with the input `expires-in`; a longer `idle_after` is for the operator to set in the policy."
  },
  key_revoked: {
    status: 410,
    codex: 400,
    title: "The key was revoked",
    meaning: "The job ended it, the job is over, an operator ended it, or it was replaced by a repeated mint.",
    remedy: "Use a key only in the job that minted it. The receipt says how and when it ended."
  },
  key_invalid: {
    status: 403,
    codex: 400,
    control: 401,
    title: "Not a key of this broker",
    meaning: "The request carries no key, something that is not a key, or a key that this broker does not know.",
    remedy: "Pass the output `key` of the mint step, whole, to the base URL of the same step: in `authorization`, `x-api-key`, `x-goog-api-key` or `api-key`."
  },
  scope_denied: {
    status: 403,
    codex: 400,
    title: "Outside the scope of the key",
    meaning: "The provider, the route or the model is none that the policy names, or the job asked for less than that.",
    remedy: "Use what the answer of the mint lists under `scope`, or have the operator add the route or the model."
  },
  request_refused: {
    status: 400,
    codex: 400,
    title: "The request itself is refused",
    meaning: "Its target, headers, framing or body could be read in more than one way, carry a second credential, or do not show the model that must be checked. Nothing was sent.",
    remedy: "The sentence names the part. Send plain paths, one key, and one JSON object where models are limited."
  },
  body_too_large: {
    status: 413,
    codex: 413,
    title: "The body is too large",
    meaning: "A body may hold 32 MiB, 8 MiB where the model is checked, and 16 KiB when a key is minted. One that does not tell its length and passes the limit on the way costs its activation.",
    remedy: "Send less at once."
  },
  too_many_concurrent: {
    status: 429,
    codex: 429,
    title: "Too many requests at once",
    meaning: "The key has as many open requests as its policy allows (`limits.concurrent_requests`), or the bodies that are held in memory to check their models leave no room for one more.",
    remedy: "Wait for one of them to finish; clients that repeat after `retry-after` do so by themselves."
  },
  upgrade_refused: {
    status: 426,
    codex: 426,
    title: "No WebSocket here",
    meaning: "The client asked for another protocol. Requests are counted one by one, and a WebSocket hides them.",
    remedy: "Let the client use HTTP with server-sent events, which most fall back to by themselves."
  },
  provider_unreachable: {
    status: 502,
    codex: 502,
    title: "The provider was not reached",
    meaning: "No connection could be made and not one byte was sent. The activation was given back.",
    remedy: "Try again; if it stays, the operator looks at the provider's `origin` and the way there."
  },
  provider_failed: {
    status: 502,
    codex: 502,
    title: "The provider broke off",
    meaning: "The provider closed the connection or answered with what is not HTTP. The activation is spent.",
    remedy: "Try again; the provider may have done the work all the same."
  },
  provider_timeout: {
    status: 504,
    codex: 504,
    title: "The provider did not answer in time",
    meaning: "No answer began within 10 minutes, or one fell silent for 5. The activation is spent.",
    remedy: "Ask for less in one request, or stream the answer."
  },
  limit_exceeded: {
    status: 429,
    codex: 429,
    title: "A limit is reached",
    meaning: "Of the policy when a key is minted (`keys_per_run`, `activations_per_run`, `activations_per_day`), of 60 mints a minute and repository, of 600 requests a minute and key on free routes or to a provider that is not reached, or of the memory for bodies whose senders are not known yet.",
    remedy: "Wait, ask for fewer activations, or have the operator raise the limit. The sentence names it."
  },
  provider_credential_rejected: {
    status: 403,
    codex: 400,
    title: "The provider refused the credential",
    meaning: "The provider answered 401 to the credential that the broker holds. The activation is spent.",
    remedy: "The operator rotates the credential: `till credential rotate`. Nothing is wrong with the key."
  },
  storage_unavailable: {
    status: 503,
    codex: 503,
    title: "The ledger cannot be written",
    meaning: "What is not on record is not done, so nothing was sent, minted or ended.",
    remedy: "Try again; if it stays, the operator looks at `/readyz` and at the disk or the database."
  },
  // Control plane
  request_invalid: {
    status: 400,
    codex: 400,
    title: "The request is not of the expected shape",
    meaning: "The body is not the JSON that this endpoint takes. The field is named.",
    remedy: "Correct the field. Unknown fields are errors, so that nothing asked for is silently not given."
  },
  token_invalid: {
    status: 401,
    codex: 401,
    title: "The ID token does not verify",
    meaning: "Issuer, audience, signature, times or claims are not as they must be. The text is the same for all reasons; the operator's log has the one that applies.",
    remedy: "Request the token for the broker's audience (`/.well-known/till` tells it), in a job with `id-token: write`, and use it at once."
  },
  token_replayed: {
    status: 401,
    codex: 401,
    title: "The ID token was used before",
    meaning: "An ID token is good for one mint, whether it was allowed or denied.",
    remedy: "Request a fresh one for each mint."
  },
  policy_denied: {
    status: 403,
    codex: 403,
    title: "No policy allows this",
    meaning: "No policy is about this repository; or one is, and the named claim of the token or field of the request is not what it allows.",
    remedy: "If it is meant to be allowed, the operator changes the policy: `till policy explain` with the id in the answer shows every check."
  },
  already_minted: {
    status: 409,
    codex: 409,
    title: "This job has its key already",
    meaning: "A job gets one key of a policy, ended or not: a second mint would be a second budget.",
    remedy: "Use the outputs of the step that minted. If none of yours did, another step of the job took the key: look at what the job runs."
  },
  job_ended: {
    status: 409,
    codex: 409,
    title: "The job is over",
    meaning: "The broker knows that the job of this ID token has completed.",
    remedy: "Mint in the job that uses the key."
  },
  issuer_keys_unavailable: {
    status: 503,
    codex: 503,
    title: "The issuer's keys are unknown",
    meaning: "The keys that ID tokens are checked with could not be fetched. Nothing was minted.",
    remedy: "Try again; if it stays, the operator looks at the way from the broker to the issuer."
  },
  credential_missing: {
    status: 503,
    codex: 503,
    title: "The broker holds no credential for the provider",
    meaning: "The provider is configured, its credential is not there yet. Nothing was minted.",
    remedy: "The operator gives it: `till credential set`."
  },
  signature_invalid: {
    status: 401,
    codex: 401,
    title: "The signature is not GitHub's",
    meaning: "The `X-Hub-Signature-256` of a webhook is missing, or is not that of its body under the configured secret.",
    remedy: "Give the webhook on GitHub the secret that `github.webhook_secret` names."
  },
  not_found: {
    status: 404,
    codex: 404,
    title: "Nothing here",
    meaning: "There is no such endpoint, or no key of this id that the caller may see.",
    remedy: "Compare the URL with docs/api.md."
  },
  method_not_allowed: {
    status: 405,
    codex: 405,
    title: "Not with this method",
    meaning: "The endpoint exists and does not take this method.",
    remedy: "Use one that the `allow` header lists."
  },
  not_ready: {
    status: 503,
    codex: 503,
    title: "The broker is not ready",
    meaning: "A part of the broker that the answer names does not work now, or the broker was told to stop.",
    remedy: "Ask again in a moment. If it stays so, the operator finds the part in the log and in `GET /readyz`."
  },
  request_timeout: {
    status: 408,
    codex: 408,
    title: "The request did not arrive in time",
    meaning: "The head took longer than 10 s, or the body paused for 30 s.",
    remedy: "Send it again."
  }
};

// src/views/markdown.ts
function code(value) {
  const text2 = cut(value, 120).toWellFormed().replace(UNSEEN, "\uFFFD").replace(/[`@#<|]/g, (character) => LOOKALIKE[character]).replace(/:(?=\/\/)/g, "\u2236").trim();
  return text2 === "" ? "\u2013" : `\`${text2}\``;
}
var LOOKALIKE = { "`": "\u02CB", "@": "\uFF20", "#": "\uFF03", "<": "\u2039", "|": "\xA6" };
var UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
function cut(value, most2) {
  return value.length > most2 ? `${value.slice(0, most2 - 1)}\u2026` : value;
}
function table(head, rows) {
  const line3 = (cells) => `| ${cells.join(" | ")} |`;
  return [line3(head), line3(head.map(() => "---")), ...rows.map(line3)].join("\n");
}

// src/views/receipt.ts
function receiptMarkdown(receipt2, options = {}) {
  const parts2 = [
    `### Till: ${verdict(receipt2)}`,
    ...overview(receipt2),
    ...refusals(receipt2),
    ...details(receipt2, options)
  ];
  return `${parts2.join("\n\n")}
`;
}
function verdict(receipt2) {
  const { limit, used, refused: refused2 } = receipt2.activations;
  const refusals2 = Object.values(refused2).reduce((sum, count3) => sum + count3, 0);
  return [`${count(used)} of ${count(limit)} activations used`, `${count(refusals2)} refused`, ending(receipt2)].join(
    " \xB7 "
  );
}
var ENDINGS = {
  revoked_by_job: "revoked",
  revoked_by_operator: "revoked by an operator",
  job_completed: "ended with the job",
  expired: "expired",
  idle: "ended for idleness",
  exhausted: "spent and closed",
  reissued: "replaced"
};
function ending({
  ended_at,
  end_reason,
  expires_at
}) {
  if (ended_at === null) return `key still alive, until ${clockTime(expires_at)} at the latest`;
  return `key ${end_reason === null ? "ended" : ENDINGS[end_reason]} ${clockTime(ended_at)}`;
}
function overview(receipt2) {
  const { usage, activations: activations2 } = receipt2;
  const cells = [
    ["Key", code(receipt2.key_id)],
    ["Policy", code(receipt2.policy)],
    ["Providers", listed(receipt2.providers)],
    ["Models", listed(Object.keys(receipt2.models))]
  ];
  if (usage.input_tokens !== null || usage.output_tokens !== null)
    cells.push(["Tokens", `${count(usage.input_tokens ?? 0)} in, ${count(usage.output_tokens ?? 0)} out`]);
  if (activations2.given_back > 0) cells.push(["Given back", count(activations2.given_back)]);
  return [
    table(
      cells.map(([name2]) => name2),
      [cells.map(([, value]) => value)]
    )
  ];
}
function refusals(receipt2) {
  const rows = Object.entries(receipt2.activations.refused).filter(([, requests]) => requests > 0);
  if (rows.length === 0) return [];
  const shown = most(rows.sort(([, a], [, b]) => b - a));
  return [
    "#### Refused",
    table(
      ["Code", "Requests", "Because"],
      shown.map(([name2, requests]) => [code(name2), count(requests), meaning(name2)])
    ),
    ...remainder(rows, shown)
  ];
}
function meaning(name2) {
  return Object.hasOwn(catalogue, name2) ? catalogue[name2].title : "";
}
function details(receipt2, { jws }) {
  const { job: job2 } = receipt2;
  const models = Object.entries(receipt2.models).sort(([, a], [, b]) => b - a);
  const facts = [
    ["Repository", job2.repository],
    ["Run", `${job2.run_id}, attempt ${job2.run_attempt}`],
    ["Event", job2.event_name],
    ["Ref", job2.ref],
    ["Commit", job2.sha],
    ["Minted", instant(receipt2.minted_at)],
    ["First used", receipt2.first_used_at === null ? null : instant(receipt2.first_used_at)],
    ["Last used", receipt2.last_used_at === null ? null : instant(receipt2.last_used_at)],
    ["Ended", receipt2.ended_at === null ? null : instant(receipt2.ended_at)],
    ["Audit events", count(receipt2.audit.events)],
    ["Last event", receipt2.audit.head]
  ];
  return [
    "<details>\n<summary>Routes, models and the job</summary>",
    ...usedTable(
      "Route",
      receipt2.routes.map(({ provider: provider2, route: route3, activations: activations2 }) => [`${provider2} ${route3}`, activations2])
    ),
    ...usedTable("Model", models),
    table(
      ["Job and key", ""],
      facts.filter(([, value]) => value !== null).map(([name2, value]) => [name2, code(value)])
    ),
    ...jws !== void 0 && jws.length <= 16384 && COMPACT_JWS.test(jws) ? [`The receipt, signed:

\`\`\`
${jws}
\`\`\``] : [],
    "</details>"
  ];
}
var COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
function usedTable(name2, rows) {
  if (rows.length === 0) return [];
  const shown = most(rows);
  return [
    table(
      [name2, "Activations"],
      shown.map(([value, activations2]) => [code(value), count(activations2)])
    ),
    ...remainder(rows, shown)
  ];
}
var MOST_ROWS = 20;
function most(rows) {
  return rows.slice(0, MOST_ROWS);
}
function remainder(rows, shown) {
  return rows.length > shown.length ? [`\u2026 and ${rows.length - shown.length} more.`] : [];
}
function listed(values) {
  if (values.length === 0) return "\u2013";
  const shown = values.slice(0, 5).map((value) => code(cut(value, 60)));
  return values.length > 5 ? `${shown.join(", ")} and ${values.length - 5} more` : shown.join(", ");
}
function count(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
function clockTime(at) {
  return `${new Date(at * 1e3).toISOString().slice(11, 16)} UTC`;
}
function instant(at) {
  return `${new Date(at * 1e3).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// src/action/agents/home-files.ts
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants as constants2,
  existsSync,
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
  let table2 = [];
  let at = 0;
  while (at < text2.length) {
    const start = at;
    const line3 = /[^\n]*\n?/y;
    line3.lastIndex = at;
    const blank = /[ \t\r]*(#[^\n]*)?(\n|$)/y;
    blank.lastIndex = at;
    if (blank.test(text2)) {
      at = blank.lastIndex;
      found.push({ text: text2.slice(start, at), table: table2, key: null });
      continue;
    }
    const header = HEADER.exec(line3.exec(text2)[0]);
    if (header) {
      at = line3.lastIndex;
      table2 = parts(header[2]);
      found.push({ text: text2.slice(start, at), table: table2, key: null });
      continue;
    }
    PAIR.lastIndex = at;
    const pair = PAIR.exec(text2);
    const end2 = pair && valueEnd(text2, PAIR.lastIndex);
    if (!pair || end2 === null) return null;
    at = end2;
    found.push({ text: text2.slice(start, at), table: table2, key: parts(pair[1]) });
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
  const table2 = found.findIndex((statement) => isInTill(statement) && isOurs(statement));
  if (table2 < 0) return { own: own(found), ours };
  const before = own(found.slice(0, table2)).replace(/\n$/, "");
  const after = own(found.slice(table2));
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
function isChoice({ table: table2, key }) {
  return table2.length === 0 && key?.length === 1 && key[0] === "model_provider";
}
function isInTill({ table: table2 }) {
  return table2[0] === "model_providers" && table2[1] === "till";
}
function isInlineProviders({ table: table2, key }) {
  if (key === null) return false;
  return table2.length === 0 ? key[0] === "model_providers" : table2.length === 1 && table2[0] === "model_providers" && key[0] === "till";
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
  const { start, end: end2, comma } = all[index];
  const head = text2.slice(0, start).replace(/(?<=[{,])\s+$/, "");
  if (comma !== null) return head + text2.slice(end2, comma) + text2.slice(comma + 1);
  const before = all[index - 1]?.comma ?? null;
  return (before === null ? head : head.slice(0, before) + head.slice(before + 1)) + text2.slice(end2);
}
function replace(text2, { value, end: end2 }, by) {
  return text2.slice(0, value) + by + text2.slice(end2);
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
var PATH = ["security", "auth", "selectedType"];
var CHOICE2 = "gemini-api-key";
var NOTE2 = "tillMint";
function write2(own, ours) {
  const found = walk(own);
  const [name2, ...below] = PATH.slice(found.length);
  const last = found.at(-1);
  const note2 = (former) => ({ ours, former, added: PATH.length - found.length });
  if (name2 === void 0)
    return noted(replace(own, last, JSON.stringify(CHOICE2)), note2(own.slice(last.value, last.end)));
  const value = below.reduceRight((inner2, outer) => ({ [outer]: inner2 }), CHOICE2);
  return noted(insert(own, last?.value ?? 0, name2, JSON.stringify(value)), note2(null));
}
function noted(text2, note2) {
  return insert(text2, 0, NOTE2, asciiJson(note2));
}
function read2(text2) {
  const all = object(parse(text2));
  const security = all && inner(all, "security");
  const auth = security && inner(security, "auth");
  if (all === null || auth === null) return null;
  if (!(NOTE2 in all)) return { own: text2, ours: null };
  const { ours: value, former = null, added = 0 } = object(all[NOTE2]) ?? {};
  const ours = parseOurs(value);
  if (ours === null) return null;
  let own = remove(text2, 0, NOTE2);
  if (auth["selectedType"] !== CHOICE2) return { own, ours };
  if (typeof former === "string") return { own: replace(own, walk(own).at(-1), former), ours };
  for (let depth = PATH.length - 1; depth >= Math.max(0, PATH.length - added); depth--) {
    const found = walk(own);
    const isTheirs = depth < PATH.length - 1 && members(own, found[depth].value).length > 0;
    if (isTheirs) break;
    own = remove(own, found[depth - 1]?.value ?? 0, PATH[depth]);
  }
  return { own, ours };
}
function walk(text2) {
  const found = [];
  for (const name2 of PATH) {
    const next = member(text2, found.at(-1)?.value ?? 0, name2);
    if (next === null) break;
    found.push(next);
  }
  return found;
}
function parse(text2) {
  try {
    return JSON.parse(withoutComments(text2));
  } catch {
    return void 0;
  }
}
function object(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}
function inner(outer, name2) {
  return name2 in outer ? object(outer[name2]) : {};
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
var agents = {
  "claude-code": claudeCode,
  codex,
  "gemini-cli": geminiCli,
  opencode,
  copilot,
  "qwen-code": qwenCode
};
var agentNames = Object.keys(agents);

// src/action/agents/home-files.ts
var MOST_BYTES = 1024 * 1024;
function restore({ agent, path }, key) {
  rmSync(aliveFile(key), { force: true });
  const former = load(path);
  if (former === null) return "it was removed";
  const file = fileOf(agent);
  const found = file.read(former.text);
  if (found === null) return `it is not ${file.format} any more`;
  const { own, ours } = found;
  if (!ours?.jobs.some((job2) => job2.key === key)) return "what this step added is not in it any more";
  const jobs = others(ours, key);
  if (jobs.length > 0) {
    replace2(path, file.write(own, { ...ours, jobs }), former);
    return "another job uses it, and puts it back";
  }
  if (ours.made === "nothing" || own !== file.empty) replace2(path, own, former);
  else {
    rmSync(path);
    if (ours.made === "folder") removeIfEmpty(dirname(path));
  }
  return null;
}
function fileOf(agent) {
  const { file } = agents[agent];
  return file;
}
function load(path) {
  let file;
  try {
    file = openSync(path, constants2.O_RDONLY | constants2.O_NONBLOCK | constants2.O_NOFOLLOW);
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
function others(ours, key) {
  const now = Date.now() / 1e3;
  return (ours?.jobs ?? []).filter((job2) => job2.key !== key && job2.expires > now && existsSync(job2.alive));
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
function removeIfEmpty(folder) {
  try {
    rmdirSync(folder);
  } catch {
  }
}

// src/domain/policy.ts
var MAX_ACTIVATIONS = 1e9;
var MAX_LIFE_SECONDS = 604800;

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
var integer = (least, most2) => (value, field) => {
  if (!Number.isSafeInteger(value) || value < least || value > most2)
    throw new ShapeError(field, `a whole number from ${least} to ${most2}`);
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
var list = (shape, least, most2) => (value, field) => {
  if (!Array.isArray(value) || value.length < least || value.length > most2)
    throw new ShapeError(field, `a list of ${least} to ${most2} entries`);
  return value.map((entry, i) => shape(entry, `${field}[${i}]`));
};
var record = (name2, shape, most2) => (value, field) => {
  if (!isObject(value) || Object.keys(value).length > most2)
    throw new ShapeError(field, `an object of at most ${most2} members`);
  const read3 = /* @__PURE__ */ Object.create(null);
  for (const [key, member2] of Object.entries(value)) {
    if (!name2.test(key)) throw new ShapeError(field, "an object with names of the expected form");
    read3[key] = shape(member2, `${field}.${key}`);
  }
  return read3;
};
var object2 = (required, optional, extra) => (value, field) => {
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

// src/wire/mint.ts
var PROVIDER_NAME = /^[a-z][a-z0-9-]{0,39}$/;
var POLICY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
var name = text(PROVIDER_NAME, "a provider name");
var policy = text(POLICY_NAME, "a policy name");
var route = text(/^[A-Z]{1,10} \/[\x21-\x7e]{0,1023}$/, 'a route such as "POST /v1/responses"');
var model = text(/^[\x21-\x7e]{1,256}$/, "a model name");
var mintRequest = object2(
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
var baseUrl = object2({ base_url: text(/^https?:\/\/[\x21-\x7e]{1,500}$/, "a URL") }, {}, "ignore");
var providers = record(PROVIDER_NAME, baseUrl, 32);
var scope = object2(
  { routes: list(text(/^[\x20-\x7e]{1,1100}$/, "a route"), 0, MAX_ROUTES) },
  { models: nullable(list(model, 1, 256)) },
  "ignore"
);
var digits = text(/^[0-9]{1,20}$/, "a number as text");
var mintAnswer = object2(
  {
    id: keyId,
    key: keyText,
    policy,
    providers,
    activations: integer(1, MAX_ACTIVATIONS),
    expires_at: numericDate,
    scope,
    comment_by: oneOf("broker", "action"),
    job: object2(
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

// src/wire/problem.ts
var line = text(/^[^\u0000-\u001f\u007f]{0,2000}$/, "a line of text");
var problem = object2(
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
function proxyFor(url, env = process.env) {
  if (isLoopback(url) || isExcepted(url, env["no_proxy"] || env["NO_PROXY"] || "")) return null;
  const lower = url.protocol === "https:" ? "https_proxy" : "http_proxy";
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
var agents2 = /* @__PURE__ */ new Map();
function transport(url) {
  const secure = url.protocol === "https:";
  const module = secure ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
  const proxy = proxyFor(url);
  const key = `${url.protocol} ${proxy?.href}`;
  let agent = agents2.get(key);
  if (!agent) {
    const proxyEnv = proxy ? { proxyEnv: { [secure ? "https_proxy" : "http_proxy"]: proxy.href } } : {};
    agent = new module.Agent({ keepAlive: true, ...proxyEnv });
    agents2.set(key, agent);
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
  const json = parse2(body);
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
  const { promise, resolve } = Promise.withResolvers();
  const url = new URL(question.url);
  let connections;
  try {
    connections = transport(url);
  } catch (error2) {
    return Promise.resolve({ kind: "unreachable", why: error2 instanceof ProxyUnusable ? error2.message : "no proxy" });
  }
  const { request, agent } = connections;
  const sent = request(url, {
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
    resolve(outcome.kind === "unreachable" && unsent ? { ...outcome, unsent } : outcome);
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
  const code2 = typeof error2.code === "string" && /^[A-Z0-9_]{1,60}$/.test(error2.code) ? error2.code : "broken off";
  return code2.startsWith("HPE_") ? nonsense(`not HTTP (${code2})`) : { kind: "unreachable", why: code2 };
}
function refused(answer) {
  const wait = answer.retryAfter;
  return {
    kind: "refused",
    status: answer.status,
    problem: readProblem(parse2(answer.body)),
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
function parse2(body) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return void 0;
  }
}

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
var heldKey = object2({ id: keyId, key: keyText }, {}, "ignore");
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
  const url = URL.parse(text2);
  if (url?.origin !== origin || url.href !== text2 && url.href !== `${text2}/`) return false;
  return PATH2.test(text2.slice(origin.length));
}
var PATH2 = /^(\/[A-Za-z0-9._~-]+)*\/?$/;

// src/wire/receipt.ts
var count2 = integer(0, Number.MAX_SAFE_INTEGER);
var activations = integer(0, MAX_ACTIVATIONS);
var LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,256}$/;
var line2 = text(LINE, "a line of at most 256 characters");
var digits2 = text(/^[0-9]{1,20}$/, "a number as text");
var job = object2(
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
var receipt = object2(
  {
    key_id: keyId,
    policy: text(POLICY_NAME, "a policy name"),
    job,
    providers: list(provider, 1, 32),
    activations: object2(
      {
        limit: integer(1, MAX_ACTIVATIONS),
        used: activations,
        given_back: count2,
        refused: record(/^[a-z_]{1,64}$/, count2, 64)
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
    routes: list(object2({ provider, route: route2, activations: count2 }, {}, "ignore"), 0, MAX_ROWS),
    models: record(LINE, count2, MAX_ROWS),
    usage: object2({ input_tokens: nullable(count2), output_tokens: nullable(count2) }, {}, "ignore"),
    audit: object2({ events: count2, head: text(/^[0-9a-f]{64}$/, "a SHA-256 in hex") }, {}, "ignore")
  },
  {},
  "ignore"
);
var receiptAnswer = object2(
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
async function readReceipt(key) {
  return sameKey(key, await repeatOnce(key.deadline, (left) => ask("GET", "/receipt", key, left())));
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

// src/action/printable.ts
function printable2(text2, most2 = 600) {
  const line3 = text2.toWellFormed().replace(UNPRINTABLE, "\uFFFD").replace(/:(?=:)/g, ": ").replace(/##(?=\[)/g, "## ");
  return line3.length > most2 ? `${line3.slice(0, most2 - 1).toWellFormed()}\u2026` : line3;
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
var FIND = {
  what: "ask for the key again, to end it",
  unanswered: "If that key may not live on, tell the broker's operator.",
  strange: BETWEEN,
  refused: {
    already_minted: "The key that this job has or had is over, or was used, or is that of another step.",
    job_ended: "The broker ends the keys of a job that is over."
  },
  otherwise: "If that key may not live on, tell the broker's operator."
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
var tokenAnswer = object2(
  { value: text(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, "an ID token") },
  {},
  "ignore"
);
async function idToken(audience, deadline) {
  const url = process.env["ACTIONS_ID_TOKEN_REQUEST_URL"];
  const bearer = process.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
  if (!url || !bearer || !URL.canParse(url)) throw new StepError(isForksPullRequest() ? FORK : NO_PERMISSION);
  mask(bearer);
  const question = {
    method: "GET",
    url: `${url}${url.includes("?") ? "&" : "?"}audience=${encodeURIComponent(audience)}`,
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

// src/action/rfc3339.ts
function rfc3339(instant2) {
  return new Date(Math.floor(instant2) * 1e3).toISOString().replace(".000Z", "Z");
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

// src/action/end-key.ts
var REVOKE_MILLISECONDS = 1e4;
var FIND_MILLISECONDS = 6e3;
var RECEIPT_MILLISECONDS = 3e3;
var LEEWAY_SECONDS = 60;
async function endKey() {
  const keyId2 = getState(state.keyId);
  if (keyId2 === "" && getState(state.begun) === "") return null;
  const deadline = performance.now() + REVOKE_MILLISECONDS;
  const until = keyId2 === "" ? untilAtMost() : untilExpiry(keyId2);
  try {
    return keyId2 === "" ? await endUnknown(until, deadline) : await end({ keyId: keyId2, until, deadline, bearer: (by) => idToken(getState(state.audience), by) });
  } catch (error2) {
    const why = error2 instanceof StepError ? error2.message : `${printable2(String(error2))}.`;
    return {
      keyId: keyId2 || null,
      account: null,
      alive: `Cannot revoke ${keyId2 ? `key ${keyId2}` : A_KEY}. ${why}
${until}`
    };
  }
}
var A_KEY = "the key that this step may have minted";
async function end({ keyId: keyId2, until, deadline, bearer }) {
  const broker = getState(state.broker);
  const answer = await revoke({ broker, keyId: keyId2, bearer: await bearer(deadline), deadline });
  const known2 = answer.kind === "ok" ? answer : await receiptOf({ broker, keyId: keyId2, bearer });
  const account = known2?.kind === "ok" ? known2.value : null;
  if (account !== null && account.receipt.ended_at !== null) return { keyId: keyId2, alive: null, account };
  const why = answer.kind === "ok" ? `Cannot revoke key ${keyId2}: the broker agreed to, and its receipt shows the key alive.` : explain(revoking(keyId2), broker, answer);
  return { keyId: keyId2, alive: `${why}
${until}`, account };
}
async function receiptOf(key) {
  const deadline = performance.now() + RECEIPT_MILLISECONDS;
  try {
    return await readReceipt({ ...key, bearer: await key.bearer(deadline), deadline });
  } catch (error2) {
    if (error2 instanceof StepError) return null;
    throw error2;
  }
}
async function endUnknown(until, deadline) {
  const [broker, audience] = [getState(state.broker), getState(state.audience)];
  const by = performance.now() + FIND_MILLISECONDS;
  const { answer, leftOver } = await mint({
    broker,
    idToken: () => idToken(audience, by),
    ...JSON.parse(getState(state.begun)),
    deadline: by
  });
  const held = answer.kind === "ok" ? answer.value : leftOver;
  if (typeof held === "string") {
    const why = answer.kind === "ok" ? "" : explain(FIND, broker, answer);
    return { keyId: null, account: null, alive: `${UNKNOWN} ${why}
${until}` };
  }
  maskKey(held.key);
  info(`${UNKNOWN} The same mint again gave key ${held.id}, in place of any before it.`);
  return end({
    keyId: held.id,
    until: answer.kind === "ok" ? untilExpiry(held.id, answer.value.expires_at) : until,
    deadline,
    bearer: async () => held.key
  });
}
var UNKNOWN = "Main began a mint and did not learn what became of it.";
var OR_EARLIER = "or earlier if the broker learns that the job has ended.";
function untilExpiry(keyId2, expiresAt = Number(getState(state.expiresAt))) {
  return expiresAt > 0 ? `Key ${keyId2} dies by itself at ${rfc3339(expiresAt)}, ${OR_EARLIER}` : untilAtMost(`Key ${keyId2}`);
}
function untilAtMost(subject = "A key that was minted all the same") {
  const { expires_in } = JSON.parse(getState(state.begun) || '{"request":{}}').request;
  const when = expires_in === void 0 ? "when its time is over, which the policy sets (expires_in: 7 days at most)" : `at ${rfc3339(Date.now() / 1e3 + expires_in + LEEWAY_SECONDS)} at the latest`;
  return `${subject} dies by itself ${when}, ${OR_EARLIER}`;
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

// src/action/inputs.ts
var comments = ["auto", "always", "never"];
var failOns = ["refused", "exhausted", "unrevoked"];
function readReportInputs() {
  const problems = [];
  return orThrow(reportInputs(problems), problems);
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
function list2(name2) {
  return getInput(name2).split(/[\s,]+/).filter((word2) => word2 !== "");
}
function quoted(text2) {
  return `"${printable2(text2, 100)}"`;
}

// src/action/pull-request.ts
import { readFileSync as readFileSync3 } from "node:fs";
function pullRequestNumber() {
  try {
    const { pull_request, issue: issue2 } = JSON.parse(readFileSync3(process.env["GITHUB_EVENT_PATH"] ?? "", "utf8"));
    const number = pull_request?.number ?? (issue2?.pull_request ? issue2.number : null);
    return Number.isSafeInteger(number) && number > 0 ? number : null;
  } catch {
    return null;
  }
}

// src/action/post.ts
var ALL_MILLISECONDS = 28e3;
async function post() {
  const deadline = performance.now() + ALL_MILLISECONDS;
  const ending2 = await endKey();
  if (ending2 === null) info("Nothing to revoke: this step minted no key.");
  else await guarded("report what became of the key", () => report(ending2, deadline));
  await guarded("put files back", putFilesBack);
}
async function report(ending2, deadline) {
  const { keyId: keyId2, alive, account } = ending2;
  if (alive !== null) warning(alive);
  const inputs = readReportInputs();
  if (account !== null) {
    info(printable2(`Key ${keyId2}: ${verdict(account.receipt)}.`));
    let untold = null;
    await guarded("write the comment", async () => {
      untold = await comment(inputs, account, deadline);
    });
    if (inputs.summary) await guarded("write the receipt to the job summary", () => summarize(account, untold));
  } else if (keyId2 !== null) info(`Key ${keyId2}: unrevoked.`);
  const failures = inputs.failOn.filter((word2) => SHOWN[word2](ending2));
  if (failures.length > 0)
    setFailed(`The input fail-on asks for it: ${failures.map((word2) => MEANING[word2]).join("; ")}.`);
}
async function guarded(what, act) {
  try {
    await act();
  } catch (error2) {
    warning(error2 instanceof StepError ? error2.message : `Cannot ${what}: ${printable2(String(error2))}.`);
  }
}
async function comment(inputs, { receipt: receipt2, comment_by }, deadline) {
  if (inputs.comment === "never" || inputs.comment === "auto" && comment_by === "broker") return null;
  const number = pullRequestNumber();
  if (number === null) {
    if (inputs.comment === "always") info("Wrote no comment: this run belongs to no pull request.");
    return null;
  }
  const token = getInput("github-token");
  const why = token === "" ? "the input github-token is empty" : await write3(token, number, receipt2, deadline);
  if (why === null) return null;
  const sentence = `No comment on the pull request: it could not be written, because ${why}.`;
  info(sentence);
  return sentence;
}
async function write3(token, number, receipt2, deadline) {
  const repository = process.env["GITHUB_REPOSITORY"] ?? "";
  const serverUrl = process.env["GITHUB_SERVER_URL"] ?? "https://github.com";
  try {
    const { writeComment } = await import("./comment.js");
    return await writeComment({ token, repository, number, receipt: receipt2, serverUrl, deadline });
  } catch (error2) {
    return `of a fault (${printable2(String(error2), 200)})`;
  }
}
async function summarize({ receipt: receipt2, jws }, note2) {
  const markdown = receiptMarkdown(receipt2, { jws });
  await summary.addRaw(note2 === null ? markdown : `${markdown}
${note2}
`).write();
}
var SHOWN = {
  refused: ({ account }) => Object.values(account?.receipt.activations.refused ?? {}).some((count3) => count3 > 0),
  exhausted: ({ account }) => account !== null && isSpent(account.receipt),
  unrevoked: ({ alive }) => alive !== null
};
function isSpent({ activations: { used, limit } }) {
  return used >= limit;
}
var MEANING = {
  refused: "the broker refused requests (refused)",
  exhausted: "all activations are spent (exhausted)",
  unrevoked: "the key could not be revoked (unrevoked)"
};
function putFilesBack() {
  const files = getState(state.files);
  if (files === "") return;
  for (const file of JSON.parse(files))
    try {
      const reason2 = restore(file, getState(state.keyId));
      if (reason2 !== null) info(`Left ${file.path} as it is: ${reason2}.`);
    } catch (error2) {
      warning(`Cannot put ${file.path} back: ${printable2(error2 instanceof Error ? error2.message : String(error2))}.`);
    }
}
await guarded("finish the step", post);
/*!
Contains parts of @actions/core.

The MIT License (MIT)

Copyright 2019 GitHub

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
