/*
 * Values that programs have stumbled over: words that mean something to somebody, the edges of encodings and numbers, and
 * what is an instruction where it should be data.
 */

export const texts: readonly string[] = [
  ...['', ' ', '\t', '\n', '\r\n', '\0', 'a\0b', '\u200b', '\u00a0', '\ufeff', '\u2028\u2029', '\u202eabc'],
  ...['null', 'undefined', 'true', 'false', 'NaN', 'Infinity', '-0', '0', '1', '-1', '1e400', '0x10', '1_000', '٣', '½'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'length', 'valueOf', '$ref'],
  ...["'", '"', '`', "' or '1'='1", "'; drop table orders; --", '1; select pg_sleep(10)', '$1', '%s%n', '\\', '\\x00'],
  ...['{{7*7}}', '${7*7}', '#{7*7}', '<%= 7*7 %>', '<script>alert(1)</script>', '<!--', ']]>', '&amp;', '&#0;'],
  ...['../../../../etc/passwd', '..\\..\\', '/', '//', '.', '..', '%2e%2e%2f', '%00', '%', '%zz', '%ff', 'file:///etc/passwd'],
  ...['|id', ';id', '$(id)', '`id`', '&& id', '\r\nx-injected: 1', 'GET / HTTP/1.1', '*', '?', '#', '[]', '{}', '()'],
  ...['😀', '👩‍👩‍👧‍👦', '🇬🇧', 'ﷺ', 'é', 'e\u0301', 'ß', 'ſ', 'İ', 'ı', 'Ω≈ç√∫', '田中さん', 'العربية', 'Z̸̡̢̛a̶l̷g̸o̵', '﷽'],
  ...['\ud800', '\udc00', '\udc00\ud800', 'a\ud800b', '\uffff', '\u{10ffff}', '\ufdd0'],
  ...['admin', 'root', 'administrator', 'test@example.org', '"a b"@example.org', 'a@b', 'a@[127.0.0.1]', '@', 'a@@b.org', `${'a'.repeat(64)}@example.org`],
  ...['2026-02-30T00:00:00Z', '2026-01-01', '9999-12-31T23:59:59.999Z', '0000-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '1969-12-31T23:59:59Z', '2026-01-01T00:00:60Z', '2026-01-01T24:00:00Z', 'yesterday'],
  ...['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '01999999-0000-7000-8000-000000000000'],
  ...['GBP', 'gbp', 'XXX', '€', 'tok_ok', 'tok_declined', 'tok_flaky', 'W/"x"', '"x"', 'e30', 'W10', 'bnVsbA', 'eyJhZnRlciI6bnVsbH0', 'eyJhZnRlciI6IiJ9'],
  'x'.repeat(64),
  'x'.repeat(65),
  'x'.repeat(255),
  'x'.repeat(2_001),
  'é'.repeat(300),
  '😀'.repeat(200),
] // prettier-ignore

export const numbers: readonly number[] = [
  0, -0, 1, -1, 2, 100, 101, 1_000, 1_201, 100_000, 100_001, 0.1, 0.5, 1.5, -1.5, 2 ** 31 - 1, 2 ** 31, 2 ** 32,
  2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e15, 1e20, 1e21, 1e308, 5e-324, 1_000_000_000, 1_000_000_001, -1_000_000_000,
] // prettier-ignore

export const values: readonly unknown[] = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [{}],
  { a: 1 },
  { __proto__: null, constructor: 1 },
  { toString: 'x' },
  { length: 1e9 },
  { length: { toString: 1 } },
  { length: { valueOf: {}, toString: {} } },
  { size: { toString: 1 } },
  { toJSON: 1 },
  Array.from({ length: 1_201 }, (_, at) => at),
]

/** Texts that stand for numbers in JSON, or nearly. */
export const numberTexts: readonly string[] = [
  ...[
    '-0',
    '1e400',
    '-1e400',
    '1E+2',
    '1.0',
    '0.1e1',
    '01',
    '+1',
    '.5',
    '5.',
    '0x10',
    'NaN',
    'Infinity',
    '1e',
    '--1',
  ],
  ...['9007199254740993', '18446744073709551616', `1${'0'.repeat(400)}`, `0.${'0'.repeat(400)}1`],
]

/** Bodies that are no JSON object, or in a strange way. */
export const bodies: readonly (string | Buffer)[] = [
  ...['', ' ', 'null', 'true', '1', '"text"', '[]', '{', '}', '[', ']', '{}{}', '{} x', '{"a":1,}', '[1,]', "{'a':1}", '{a:1}'],
  ...['{"a":1,"a":2}', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":1}}', '{"a":NaN}', '{"a":undefined}', '// x\n{}'],
  ...['{"\\u0000":1}', '{"a":"\\ud800"}', '{"a":"\\x41"}', '{"a":"\t"}', '{"a":"\0"}', '\ufeff{}', '{"":""}', '{"a":"'],
  `${'['.repeat(70)}${']'.repeat(70)}`,
  `{"a":${'['.repeat(10_000)}`,
  `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
  Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x00]),
] // prettier-ignore

/** Headers by name: each of them alone should change nothing, or be refused. */
export const headers: Readonly<Record<string, readonly string[]>> = {
  accept: ['*/*', 'application/json', 'text/html', 'application/json;q=0', ',', ';', '*', 'application/*;q=0.1, */*;q=0', 'text/event-stream'],
  'accept-encoding': ['gzip', 'br', 'deflate', 'zstd', 'identity;q=0', '*;q=0', 'gzip;q=2', 'gzip, br;q=0.5, *', ','],
  'accept-language': ['en', 'xx-yy', ',,', '*'],
  'content-type': ['application/json; charset=utf-8', 'application/merge-patch+json', 'text/plain', 'application/json; charset=utf-16', 'application/xml', ';', 'application/problem+json'],
  'content-encoding': ['gzip', 'identity', 'br, gzip', 'x'],
  'if-none-match': ['*', '"x"', 'W/"x"', '"', ',', 'x', '"a", "b", W/"c"', '""'],
  'if-match': ['*', '"x"', 'W/"x"', '"', ',', '', 'x'],
  'if-modified-since': ['Thu, 01 Jan 1970 00:00:00 GMT', 'yesterday'],
  'if-unmodified-since': ['Thu, 01 Jan 1970 00:00:00 GMT', 'x'],
  range: ['bytes=0-0', 'bytes=-1', 'bytes=1-0', 'x'],
  'x-request-id': ['abc', '', 'x'.repeat(65), 'a b', '<x>'],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'ff-0-0-0', 'x', '00-00000000000000000000000000000000-0000000000000000-00'],
  tracestate: ['a=b', ',,=', 'x'.repeat(600)],
  baggage: ['a=b', '%%%'],
  cookie: ['a=b', ';;=;', '__Host-x=1'],
  'x-forwarded-for': ['127.0.0.1', '::1', "'; drop", 'unknown', '1.2.3.4, 5.6.7.8'],
  forwarded: ['for=1.2.3.4', 'for="[::1]";host=x', ';;'],
  'x-forwarded-host': ['elsewhere.example'],
  'x-forwarded-proto': ['https', 'x'],
  'x-http-method-override': ['DELETE', 'PUT'],
  'x-original-url': ['/operator/v1/orders'],
  'last-event-id': ['0', '1', '-1', 'x', '99999999999999', ''],
  expect: ['100-continue', 'the worst'],
  te: ['trailers', 'gzip'],
  upgrade: ['websocket', 'h2c'],
  via: ['1.1 proxy'],
  priority: ['u=0', 'u=9'],
  'cache-control': ['no-cache', 'no-store', 'max-age=0', 'only-if-cached', 'max-age=x'],
  pragma: ['no-cache'],
  'sec-fetch-site': ['cross-site', 'x'],
  'idempotency-key': ['', 'k', 'x'.repeat(255), 'x'.repeat(256), 'é', '"quoted"', 'same'],
  authorization: ['', 'Bearer', 'Bearer x', 'Basic dTpw', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'bearer x y', 'Digest x'],
  'user-agent': ['', 'x'.repeat(500), '() { :;}; echo'],
} // prettier-ignore

export const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE', 'QUERY', 'LOCK'] // prettier-ignore
