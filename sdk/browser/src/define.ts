// Defines <afterword-thumbs>. Importing this module is enough.
import { defineThumbs } from './element.ts';

defineThumbs();
