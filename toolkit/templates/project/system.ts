import type { System } from 'serval/host'
import { tasksService } from './tasks/service.ts'

/** The services that belong together. A new one is a folder beside tasks/, and a line here. */
export const system: System = {
  name: 'serval-project',
  title: 'serval-project',
  version: '1',
  services: [tasksService],
}
