"use strict";
// An address that leads to nothing.
whenOpen(showMissing);
