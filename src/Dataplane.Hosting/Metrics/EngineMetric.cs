using System.Diagnostics.Metrics;

namespace Dataplane.Hosting.Metrics;

/// <summary>One instrument: what it is called and how it is read.</summary>
/// <param name="Name">Dotted, lower case, without the unit, as OpenTelemetry names instruments.</param>
/// <param name="Kind">What the values do over time.</param>
/// <param name="Unit">UCUM, such as <c>By</c> or <c>{packet}</c>.</param>
/// <param name="Description">One line.</param>
/// <param name="Read">The values now, one per combination of attributes.</param>
internal sealed record EngineMetric(string Name, MetricKind Kind, string Unit, string Description, Func<EngineReading, IEnumerable<Measurement<long>>> Read);
