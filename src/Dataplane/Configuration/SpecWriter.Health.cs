using System.Globalization;
using Dataplane.Health;

namespace Dataplane.Configuration;

/// <content>Health of backends.</content>
public static partial class SpecWriter
{
    private static ConfigNode Health(HealthSpec health)
    {
        var defaults = new HealthSpec();
        var map = new MappingWriter();

        // Written even where it is the default: the section says something even when it holds nothing else.
        map.Word("check", health.Check, SpecNames.HealthChecks);
        map.Number("port", health.Port, defaults.Port);
        map.Optional("source", health.Source);
        if (health.Path != defaults.Path)
        {
            map.Text("path", health.Path);
        }

        map.Text("host", health.Host);
        if ((health.StatusFrom, health.StatusTo) != (defaults.StatusFrom, defaults.StatusTo))
        {
            map.Text("status", string.Create(CultureInfo.InvariantCulture,
                $"{health.StatusFrom}{(health.StatusTo == health.StatusFrom ? "" : $"-{health.StatusTo.ToString(CultureInfo.InvariantCulture)}")}"));
        }

        map.Text("send", health.Send);
        map.Duration("interval", health.Interval, defaults.Interval);
        map.Duration("timeout", health.Timeout, defaults.Timeout);
        map.Number("rise", health.Rise, defaults.Rise);
        map.Number("fall", health.Fall, defaults.Fall);
        map.Duration("slow_start", health.SlowStart, defaults.SlowStart);
        if (health.PanicPercent != 0)
        {
            map.Text("panic", string.Create(CultureInfo.InvariantCulture, $"{health.PanicPercent}%"));
        }

        map.Number("passive", health.Passive, defaults.Passive);
        map.Duration("hold", health.Hold, defaults.Hold);
        return map.ToNode();
    }
}
