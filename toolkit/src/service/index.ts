export { port } from './context.ts'
export type { Context, PortsOf, PortType, Step } from './context.ts'
export { service } from './definition.ts'
export type { Service } from './definition.ts'
