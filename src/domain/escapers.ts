/** What an encoder of texts does to single characters: the first rule that names one decides, and what none names stays. */
export type Escaper = readonly (readonly [characters: RegExp, as: Notation])[]

/** Another way to write a character. */
type Notation = (character: string) => string

/** Letters and digits stay as they are with every escaper. */
export function escaped(text: string, escaper: Escaper): string {
  return text.replaceAll(/[^A-Za-z0-9]/g, (character) => {
    for (const [characters, as] of escaper) if (characters.test(character)) return as(character)
    return character
  })
}

const hex = (character: string) => character.charCodeAt(0).toString(16).padStart(2, '0')
const HEX = (character: string) => hex(character).toUpperCase()
const backslash: Notation = (character) => `\\${character}`
const u: Notation = (character) => `\\u00${hex(character)}`
const U: Notation = (character) => `\\u00${HEX(character)}`
const x: Notation = (character) => `\\x${hex(character)}`
const X: Notation = (character) => `\\x${HEX(character)}`
const percent: Notation = (character) => `%${hex(character)}`
const PERCENT: Notation = (character) => `%${HEX(character)}`
const decimal: Notation = (character) => `&#${character.charCodeAt(0)};`
const entity: Notation = (character) => `&#x${hex(character)};`
const ENTITY: Notation = (character) => `&#x${HEX(character)};`
const named: Notation = (character) => `&${NAMES[character]!};`

/** In these a whole text may be written, its letters and digits too. */
export const NOTATIONS: readonly Notation[] = [u, U, x, X, percent, PERCENT, decimal, entity, ENTITY]

/** By whose they are. What they write is a JSON string, which often stands in another one: an error within an error. */
export const JSON_ESCAPERS: Readonly<Record<string, Escaper>> = {
  'JSON.stringify, Python json.dumps, Jackson, serde_json': [[/["\\]/, backslash]],
  'PHP json_encode, Swift JSONEncoder, lua-cjson': [[/["\\/]/, backslash]],
  'Go encoding/json, Rails to_json': [
    [/["\\]/, backslash],
    [/[&<>]/, u],
  ],
  'Jinja tojson': [
    [/["\\]/, backslash],
    [/[&<>']/, u],
  ],
  Gson: [
    [/["\\]/, backslash],
    [/[&<>'=]/, u],
  ],
  'Newtonsoft.Json EscapeHtml': [
    [/\\/, backslash],
    [/["&'<>]/, u],
  ],
  'System.Text.Json': [
    [/\\/, backslash],
    [/["&'+<>`]/, U],
  ],
  'PHP JSON_HEX_*, Symfony JsonResponse': [
    [/[\\/]/, backslash],
    [/["&'<>]/, U],
  ],
  'PHP JSON_HEX_*, JSON_UNESCAPED_SLASHES': [
    [/\\/, backslash],
    [/["&'<>]/, U],
  ],
  'PHP JSON_HEX_TAG': [
    [/["\\/]/, backslash],
    [/[<>]/, U],
  ],
  'Django json_script': [
    [/["\\]/, backslash],
    [/[&<>]/, U],
  ],
  'serialize-javascript': [
    [/["\\]/, backslash],
    [/[<>/]/, U],
  ],
}

/** Those that write a string of JSON around one that has a credential in it: what is escaped there are its backslashes. */
export const JSON_AROUND: readonly Escaper[] = [[[/["\\]/, backslash]], [[/["\\/]/, backslash]]]

const LETTERS_AND_DIGITS = /[^A-Za-z0-9]/
/** RFC 3986, section 2.3. */
const UNRESERVED = /[^A-Za-z0-9\-._~]/

/** By whose they are, or what they leave. */
export const SCRIPT_ESCAPERS: Readonly<Record<string, Escaper>> = {
  'Python repr': [[/\\/, backslash]],
  'Python repr in single quotes, PHP var_export': [[/[\\']/, backslash]],
  'PHP addslashes': [[/[\\"']/, backslash]],
  'Rails escape_javascript': [[/[\\"'`$]/, backslash]],
  'Go html/template in scripts': [
    [/[\\/]/, backslash],
    [/["`&'+<>]/, u],
  ],
  'Go text/template js': [
    [/[\\"']/, backslash],
    [/[&<>=]/, U],
  ],
  'Django escapejs': [[/[\\'"<>&=\-;`]/, U]],
  'Twig js': [
    [/[\\/]/, backslash],
    [/[^A-Za-z0-9,._]/, U],
  ],
  'ESAPI encodeForJavaScript, Laminas escapeJs': [[/[^A-Za-z0-9,._]/, X]],
  'OWASP Java Encoder forJavaScript': [
    [/[\\/-]/, backslash],
    [/["'&]/, x],
  ],
  ...leaving('letters and digits', LETTERS_AND_DIGITS, { u, U, x, X }),
  ...leaving('what is unreserved', UNRESERVED, { u, U, x, X }),
}

/** By whose they are, or what they leave. */
export const MARKUP_ESCAPERS: Readonly<Record<string, Escaper>> = {
  'Canonical XML in texts, Svelte': [[/[&<]/, named]],
  'Canonical XML in attributes': [[/[&<"]/, named]],
  'innerHTML, XMLSerializer': [[/[&<>]/, named]],
  'Commons Text escapeHtml4, Pug, PHP ENT_COMPAT': [[/[&<>"]/, named]],
  'XML, PHP ENT_HTML5': [[/[&<>"']/, named]],
  'lodash, escape-html, Rails, WebUtility.HtmlEncode': [
    [/[&<>"]/, named],
    [/'/, decimal],
  ],
  'Python html.escape, Django, React': [
    [/[&<>"]/, named],
    [/'/, ENTITY],
  ],
  'PHP htmlspecialchars, Blade, Twig': [
    [/[&<>"]/, named],
    [/'/, () => '&#039;'],
  ],
  'MarkupSafe, Go html, EJS': [
    [/[&<>]/, named],
    [/["']/, decimal],
  ],
  'Go html/template': [
    [/[&<>]/, named],
    [/["'+]/, decimal],
  ],
  'Go html/template in attributes without quotes': [
    [/[&<>]/, named],
    [/["'+=`]/, decimal],
  ],
  'Mustache.js': [
    [/[&<>"]/, named],
    [/'/, decimal],
    [/[/`=]/, ENTITY],
  ],
  Handlebars: [
    [/[&<>"]/, named],
    [/['`=]/, ENTITY],
  ],
  'Underscore, he.escape': [
    [/[&<>"]/, named],
    [/['`]/, ENTITY],
  ],
  'lodash 3': [
    [/[&<>"]/, named],
    [/['`]/, decimal],
  ],
  Nunjucks: [
    [/[&<>"]/, named],
    [/['`\\]/, decimal],
  ],
  'OWASP cheat sheet, Tera': [
    [/[&<>"]/, named],
    [/['/]/, ENTITY],
  ],
  MiniJinja: [
    [/[&<>"]/, named],
    [/['/]/, entity],
  ],
  'validator.js': [
    [/[&<>"]/, named],
    [/['/\\]/, ENTITY],
    [/`/, decimal],
  ],
  'ASP.NET Core HtmlEncoder': [
    [/[&<>"]/, named],
    [/['+]/, ENTITY],
  ],
  'Askama, PHP FILTER_SANITIZE_SPECIAL_CHARS': [[/[&<>"']/, decimal]],
  'he.encode': [[/[&<>"'`]/, ENTITY]],
  'ESAPI encodeForHTML': [
    [/[&<>"]/, named],
    [/[^A-Za-z0-9,.\-_]/, entity],
  ],
  'Twig html_attr, Laminas escapeHtmlAttr': [
    [/[&<>"]/, named],
    [/[^A-Za-z0-9,.\-_]/, ENTITY],
  ],
  ...leaving('letters and digits', LETTERS_AND_DIGITS, { decimal, entity, ENTITY }),
  ...leaving('what is unreserved', UNRESERVED, { decimal, entity, ENTITY }),
}

/** By whose they are. */
export const URL_ESCAPERS: Readonly<Record<string, Escaper>> = {
  ...leaving('RFC 3986, Go QueryEscape', UNRESERVED, { percent, PERCENT }),
  ...leaving('encodeURIComponent', /[^A-Za-z0-9\-._~!*'()]/, { percent, PERCENT }),
  ...leaving('HTML forms', /[^A-Za-z0-9\-._*]/, { percent, PERCENT }),
  ...leaving('encodeURI', /[^A-Za-z0-9\-._~!*'();,/?:@&=+$#]/, { percent, PERCENT }),
  ...leaving('PHP urlencode', /[^A-Za-z0-9\-._]/, { percent, PERCENT }),
  ...leaving('Python quote', /[^A-Za-z0-9\-._~/]/, { percent, PERCENT }),
  ...leaving('Go PathEscape', /[^A-Za-z0-9\-._~$&+=:@]/, { percent, PERCENT }),
  ...leaving('WebUtility.UrlEncode, HttpUtility.UrlEncode', /[^A-Za-z0-9\-._!*()]/, { percent, PERCENT }),
  ...leaving('JavaScript escape', /[^A-Za-z0-9@*_+\-./]/, { percent, PERCENT }),
  ...leaving('Rust NON_ALPHANUMERIC', LETTERS_AND_DIGITS, { percent, PERCENT }),
  ...leaving('a query of new URL', /["#<>']/, { PERCENT }),
  ...leaving('a path of new URL', /["#<>?^`{}]/, { PERCENT }),
}

/** One escaper for each notation of what the encoder does not leave. */
function leaving(
  of: string,
  characters: RegExp,
  notations: Readonly<Record<string, Notation>>,
): Record<string, Escaper> {
  return Object.fromEntries(Object.entries(notations).map(([name, as]) => [`${of}: ${name}`, [[characters, as]]]))
}

/** XML, section 4.6. */
const NAMES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }
