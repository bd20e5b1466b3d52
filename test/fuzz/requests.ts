/** Requests near which hostile ones are looked for: by what reads them, and by what lets them pass. */

const BODY = '{"model":"m-1","input":"x"}'
/** Stands for a key. */
export const KEY = '<key>'
const request = (line: string, headers: readonly string[], body = '') =>
  [`${line} HTTP/1.1`, 'Host: till.example', `Authorization: Bearer ${KEY}`, ...headers, '', body].join('\r\n')
export const CORPUS = [
  request('POST /proxy/api/v1/responses', ['Content-Type: application/json', `Content-Length: ${BODY.length}`], BODY),
  request(
    'POST /proxy/api/responses?stream=true',
    ['content-type: application/json', 'transfer-encoding: chunked'],
    `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  ),
  request('GET /proxy/api/v1/items/1', ['x-api-key: <key>', 'connection: keep-alive, x-a', 'x-a: 1']),
  request('HEAD /proxy/api/v1/items/1', []),
  request('PUT /proxy/api/v1/files/a/b', ['content-length: 3'], 'abc'),
  request('POST /proxy/paths/v1beta/models/m-1:generate', ['content-length: 2'], '{}'),
]

/** Pieces that mean something in them. */
export const DICTIONARY = [
  KEY,
  'Host: evil\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: x\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: upgrade\r\n',
  'Connection: authorization\r\n',
  'Cookie: a=b\r\n',
  'X-Forwarded-Host: evil\r\n',
  'till-admin: 1\r\n',
  'x-goog-api-key: other\r\n',
  'Content-Encoding: gzip\r\n',
  ' HTTP/1.0',
  ' HTTP/2.0',
  'GET ',
  'POST ',
  'TRACE ',
  'CONNECT ',
  'OPTIONS ',
  '//',
  '/../',
  '%2e%2e',
  '%2f',
  '?key=',
  '#',
  '0\r\n\r\n',
  '\r\n\r\n',
  '"model":"m-9",',
  '\\u006d',
  '\v',
]
