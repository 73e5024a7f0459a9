#!/usr/bin/env node
import { serval } from './serval.ts'
import { processTerminal } from './terminal.ts'

process.exitCode = await serval(process.argv.slice(2), processTerminal())
