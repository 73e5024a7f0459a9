// What the two test runners report, brought to one form.

/**
 * @typedef {{ file: string, name: string, outcome: 'passed' | 'failed' | 'skipped', reason?: string }} Result
 */

/**
 * A skipped test says why in its own title or in the title of a suite around it:
 * `[skipped: PostgreSQL is not installed]`. A skip that does not is a failure: among others, it
 * is how vitest reports the tests behind a broken `beforeAll`.
 *
 * @returns {Result}
 */
function skipped(file, name) {
  const reason = /\[skipped: ([^\]]+)\]/.exec(name)?.[1]
  return reason
    ? { file, name, outcome: 'skipped', reason }
    : { file, name: `${name} (skipped, and the title gives no reason)`, outcome: 'failed' }
}

/**
 * Reads the report of `vitest --reporter=json`.
 *
 * @param {string} text
 * @param {string} root the folder that file names become relative to
 * @returns {Result[]}
 */
export function readVitest(text, root) {
  return JSON.parse(text).testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(name, root)
    const results = assertionResults.map((test) => {
      const title = [...test.ancestorTitles, test.title].join(' > ')
      if (test.status === 'passed' || test.status === 'failed') {
        return { file, name: title, outcome: test.status }
      }
      return skipped(file, title)
    })
    const unexplained = status === 'failed' && !results.some(({ outcome }) => outcome === 'failed')
    return unexplained ? [...results, { file, name: message, outcome: 'failed' }] : results
  })
}

/**
 * Reads the report of `bun test --reporter=junit`.
 *
 * @param {string} text
 * @param {string} root the folder that file names become relative to
 * @returns {Result[]}
 */
export function readJunit(text, root) {
  const testcase = /<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs
  return [...text.matchAll(testcase)].map(([, tag, inside = '']) => {
    const attribute = (name) => unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '')
    const file = relative(attribute('file'), root)
    // Bun lists the suites around a test from the inside out.
    const suites = attribute('classname').split(' > ').toReversed()
    const name = [...suites, attribute('name')].filter(Boolean).join(' > ')
    if (/<(failure|error)\b/.test(inside)) return { file, name, outcome: 'failed' }
    if (/<skipped\b/.test(inside)) return skipped(file, name)
    return { file, name, outcome: 'passed' }
  })
}

/**
 * A file that a runner was given and says nothing about has failed: it could not be loaded, its
 * process died, or it holds no test.
 *
 * @param {Result[]} results
 * @param {string[]} files
 * @returns {Result[]}
 */
export function withSilentFiles(results, files) {
  const heard = new Set(results.map(({ file }) => file))
  const silent = files.filter((file) => !heard.has(file))
  return [
    ...results,
    ...silent.map((file) => ({ file, name: 'the file reported no test', outcome: 'failed' })),
  ]
}

/** @param {Result[]} results */
export function count(results) {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  for (const { outcome } of results) totals[outcome]++
  return totals
}

/** @param {{ passed: number, failed: number, skipped: number }} totals */
export function totalsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function relative(path, root) {
  const inside = path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path
  return inside.replace(/^\.\//, '')
}

function unescape(text) {
  const named = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, name) =>
    code ? String.fromCodePoint(Number(code)) : (named[name] ?? whole),
  )
}
