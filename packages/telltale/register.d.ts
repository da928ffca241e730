// Loaded for what it does; it exports nothing.
import "./dist/register.js";
