import { walk } from "./app.js";
import { attach, follow } from "./viewer.js";

attach();
walk("#items .item", follow);
