/** The YAML parser; the only file that imports it. The build bundles it in place, so that nothing is left to install. */
export {
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
