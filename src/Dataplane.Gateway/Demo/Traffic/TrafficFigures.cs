namespace Dataplane.Gateway.Demo.Traffic;

/// <summary>One kind of traffic.</summary>
/// <param name="Ok">Answered, since the start.</param>
/// <param name="Failed">Refused or not answered in time, since the start.</param>
/// <param name="P50Us">Median latency of the last second, in microseconds.</param>
/// <param name="P99Us">99th percentile of the last second, in microseconds.</param>
internal readonly record struct TrafficFigures(long Ok, long Failed, double P50Us, double P99Us);
