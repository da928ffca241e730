import { expect, it } from "vitest";
import { formatQuantity, quantityFor } from "../web/components/quantity.js";

it.each([
  [0.0042, "s", "4.20 ms"],
  [0.0000042, "s", "4.20 µs"],
  [1.5, "s", "1.50 s"],
  [150, "ms", "150 ms"],
  [180_000, "ms", "3 min"],
  [2_500_000, "ns", "2.50 ms"],
  [0, "ms", "0 ms"],
  [512, "By", "512 B"],
  [1536, "By", "1.50 KiB"],
  [3 * 1024 ** 3, "By", "3 GiB"],
  [2048, "By/s", "2 KiB/s"],
  [0.934, "%", "93.4 %"],
  [1, "%", "100 %"],
  [7, "{connection}", "7"],
  [9999, "{connection}", "9,999"],
  [12_300, "{request}/s", "12.3k/s"],
  [0.25, "1", "0.250"],
  [1.7e308, "{request}", "1.70e+296T"],
  [-5e-324, "1", "-4.94e-324"],
  [1e-9, "ms", "0.00100 ns"],
  [3, "Cel", "3 Cel"],
  [2.5, "s/s", "2.50 s/s"],
])("%d in %s is written %s", (value, unit, text) => {
  expect(formatQuantity(value, unit)).toBe(text);
});

it("has a dash for what is no number", () => {
  for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
    expect(formatQuantity(value, "ms")).toBe("–");
});

it("takes any text for a unit, and not more of it than there is room for", () => {
  for (const unit of ["", "{", "{a", "__proto__", "constructor", "/s", "x".repeat(1000)]) {
    expect(quantityFor(unit, 5).divisor).toBe(1);
    expect(quantityFor(unit, 5).suffix.length).toBeLessThan(20);
  }
});
