using System.Globalization;
using System.Numerics;
using Dataplane.Filtering;
using Dataplane.Health;

namespace Dataplane.Configuration;

/// <content>Health of backends.</content>
public sealed partial class SpecReader
{
    private HealthSpec ReadHealth(ConfigNode node, string path)
    {
        MappingReader map = MappingReader.Open(node, path, ConfigKeys.Health, _errors);
        var defaults = new HealthSpec();
        (int from, int to) = ReadStatus(map) ?? (defaults.StatusFrom, defaults.StatusTo);
        return new HealthSpec
        {
            Check = map.Choice("check", SpecNames.HealthChecks) ?? defaults.Check,
            Port = (int)map.Integer("port", SpecLimits.TransportPort, 0),
            Source = map.OptionalAddress("source"),
            Path = map.Scalar("path", null, "a path") ?? defaults.Path,
            Host = map.Text("host"),
            StatusFrom = from,
            StatusTo = to,
            Send = map.Text("send"),
            Interval = ReadDuration(map, "interval", SpecLimits.HealthInterval) ?? defaults.Interval,
            Timeout = ReadDuration(map, "timeout", SpecLimits.HealthTimeout) ?? defaults.Timeout,
            Rise = (int)map.Integer("rise", SpecLimits.Rise, defaults.Rise),
            Fall = (int)map.Integer("fall", SpecLimits.Rise, defaults.Fall),
            SlowStart = ReadDuration(map, "slow_start", SpecLimits.SlowStart) ?? defaults.SlowStart,
            PanicPercent = ReadPanic(map),
            Passive = (int)map.Integer("passive", SpecLimits.Passive, defaults.Passive),
            Hold = ReadDuration(map, "hold", SpecLimits.Hold) ?? defaults.Hold,
        };
    }

    private static (int From, int To)? ReadStatus(in MappingReader map)
    {
        if (map.Scalar("status", null, "an HTTP status or a range of them") is not { } text)
        {
            return null;
        }

        if (PortRange.TryParse(text, out PortRange range) && SpecLimits.HttpStatus.Contains(range.First) && SpecLimits.HttpStatus.Contains(range.Last))
        {
            return (range.First, range.Last);
        }

        map.Error("status", "is not an HTTP status from 100 to 599 or a range such as 200-399", text);
        return null;
    }

    private static int ReadPanic(in MappingReader map)
    {
        const string Problem = "is not off or a percentage from 1% to 100%";
        if (map.Scalar("panic", null, "off or a percentage") is not { } text || text == "off")
        {
            return 0;
        }

        if (text.EndsWith('%') && TextReading.TryInteger(text[..^1], out BigInteger percent) && percent >= 1 && percent <= SpecLimits.Panic.Max)
        {
            return (int)percent;
        }

        map.Error("panic", Problem, text);
        return 0;
    }

    private static TimeSpan? ReadDuration(in MappingReader map, string key, DurationRange range)
    {
        if (map.Scalar(key, null, "a duration") is not { } text)
        {
            return null;
        }

        if (!DurationText.TryRead(text, out BigInteger nanoseconds))
        {
            map.Error(key, DurationText.Problem, text);
        }
        else if (nanoseconds % 1_000_000 != 0 || nanoseconds > (BigInteger)range.Max.TotalNanoseconds || nanoseconds < (BigInteger)range.Min.TotalNanoseconds)
        {
            map.Error(key, range.Problem, text);
        }
        else
        {
            return TimeSpan.FromMilliseconds((long)(nanoseconds / 1_000_000));
        }

        return null;
    }
}
