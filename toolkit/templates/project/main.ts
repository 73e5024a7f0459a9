import { run } from 'serval/host'

await run({
  setups: { kitten: () => import('./setups/kitten.ts') },
  defaultSetup: 'kitten',
  helpNotes: ['Without options: port 8080, operator’s port 8081, the folder data, log level warn.'],
  banner: ({ setupName, host, tookMs }) => {
    const address = `http://${host.public.host}:${host.public.port}`
    const operator = `http://${host.operator.host}:${host.operator.port}`
    return [
      '',
      `  Ready (${setupName}, ${(tookMs / 1_000).toFixed(1)} s). Ctrl+C stops it.`,
      '',
      `  Public     ${address}`,
      `             curl ${address}/api/v1/tasks`,
      `  Reference  ${address}/openapi.json`,
      `  Operator   ${operator}`,
      `             header  x-serval-operator: ${host.operatorKey}`,
      '',
      '',
    ].join('\n')
  },
})
