export { createGraphsModule, type GraphsModule } from './graphs-module.ts';
