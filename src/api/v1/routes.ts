import type { Center } from '../center.ts';
import type { Route } from '../routes.ts';
export const v1Routes = (_center: Center): Route[] => [];
