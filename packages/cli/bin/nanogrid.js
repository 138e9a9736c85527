#!/usr/bin/env node
// Part of the checkout, so that npm can link the command before anything is built.
import '../dist/bin.js';
