import type { Usage } from '../measuring.ts'
import { measures, type Results, type Section } from '../samples.ts'
import { comparisons, spreadOf, type Comparison } from '../statistics.ts'
import { figureText, ratioText, reached } from './numbers.ts'

const titles: Readonly<Record<Section, string>> = {
  calls: 'Calls inside one process',
  links: 'Calls between two processes',
  rest: 'At rest',
  reads: 'Reading products',
  auth: 'Registration and login',
  orders: 'Orders',
  replicas: 'Orders with more copies, on the same cores',
}

const list = (pairs: Readonly<Record<string, string | number>>): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

const rowsOf = ({ measure, figures, ratios }: Comparison): string[] => {
  const { title } = measures[measure]
  return figures.map((figure, at) => {
    const { contender } = figure
    const ratio = ratios.find((one) => one.contender.id === contender.id)
    const met = ratio === undefined ? undefined : reached(measure, ratio)
    const cells = [
      at === 0 ? `**${title}**` : '',
      `\`${contender.id}\``,
      figureText(measure, figure),
      ratio === undefined
        ? ratios.some(({ against }) => against.id === contender.id)
          ? 'compared with'
          : ''
        : ratioText(ratio),
      met === undefined ? '' : `${met ? '✓' : '✗'} ${measures[measure].goal} ×`,
    ]
    return `| ${cells.join(' | ')} |`
  })
}

const sectionText = (section: Section, all: readonly Comparison[]): string[] => {
  const own = all.filter(({ measure }) => measures[measure].section === section)
  if (own.length === 0) return []
  return [
    `## ${titles[section]}`,
    '',
    ...(section === 'replicas' ? ['![by copies](RESULTS-replicas.svg)', ''] : []),
    '| | | median (least–most of the rounds) | as good as the best of theirs | goal |',
    '| --- | --- | --- | --- | --- |',
    ...own.flatMap(rowsOf),
    '',
  ]
}

/** What a round's raw sample holds, where the round was watched. */
interface Watched {
  readonly usage?: Usage
  readonly driverCpu?: number
}

/** How much of the processors went elsewhere: neighbours make figures smaller, ratios less so. */
const neighbours = ({ rounds, machine }: Results): string => {
  const parts = rounds.flatMap((round) => {
    const { usage, driverCpu = 0 } = round as Watched
    if (usage === undefined) return []
    const others = usage.machine - usage.server - usage.postgres - driverCpu
    return [(100 * Math.max(0, others)) / usage.seconds / Number(machine['cores'])]
  })
  if (parts.length === 0) return ''
  const { median, most } = spreadOf(parts)
  return `Of its processors, ${median.toFixed(0)} % were used by others in the median round, ${most.toFixed(0)} % at most.`
}

/** The page that the repository shows. */
export const markdown = (results: Results): string => {
  const all = comparisons(results.contenders, results.samples)
  const sections = Object.keys(titles) as Section[]
  return [
    '# Side by side',
    '',
    `Made by \`npm run bench\` on ${results.at}, commit \`${results.commit}\`; do not edit. ${results.options['rounds']} rounds of ${results.options['seconds']} s, interleaved, after one that warms up; driver and servers share the machine. A ratio says how many times as good ours are, from rounds that stood side by side: above 1 ours are better. \`README.md\` says how each is measured and what is not the same.`,
    '',
    '![ratios](RESULTS.svg)',
    '',
    ...sections.flatMap((section) => sectionText(section, all)),
    '## What was measured',
    '',
    '| | |',
    '| --- | --- |',
    ...results.contenders.map(
      ({ id, name, apart }) =>
        `| \`${id}\` | ${name}${apart === true ? ' (shown, not compared)' : ''} |`,
    ),
    '',
    `Machine: ${list(results.machine)}. ${neighbours(results)}`,
    '',
    `Versions: ${list(results.versions)}.`,
    '',
    ...(Object.keys(results.postgres).length === 0
      ? []
      : [`PostgreSQL, one server for each contender, all alike: ${list(results.postgres)}.`, '']),
  ].join('\n')
}
