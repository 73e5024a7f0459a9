export { kubernetesDirectory } from './directory.ts'
export type { KubernetesDirectoryOptions } from './directory.ts'
