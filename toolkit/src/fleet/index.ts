export { fleet } from './contract.ts'
export { supervisedDirectory } from './directory-client.ts'
export type { SupervisedOptions } from './directory-client.ts'
