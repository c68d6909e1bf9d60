using System.Globalization;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Health;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for the health of backends, for their drain, and for how long clients and flows are remembered.</summary>
internal static class HealthChecks
{
    public static void Check(Checks checks, ServiceSpec service, string path)
    {
        if (service.Affinity is { } affinity)
        {
            Duration(checks, $"{path}.affinity", affinity, SpecLimits.Affinity);
        }

        NatChecks.CheckTimeouts(checks, service.Timeouts, $"{path}.timeouts");
        if (service.Health is not { } health)
        {
            return;
        }

        path += ".health";
        checks.Known($"{path}.check", health.Check, SpecNames.HealthChecks);
        checks.Range($"{path}.port", health.Port, SpecLimits.HealthPort);
        if (health is { Port: 0, Check: not HealthCheckKind.None } && !service.IsOnePort && (service.Backends ?? []).Any(backend => backend is { Port: 0 }))
        {
            checks.Error($"{path}.port", "is missing: the service has several ports, and a backend has none of its own that could be asked");
        }

        CheckSource(checks, service, health, path);
        CheckHttp(checks, health, path);
        CheckSend(checks, health, path);
        Duration(checks, $"{path}.interval", health.Interval, SpecLimits.HealthInterval);
        Duration(checks, $"{path}.timeout", health.Timeout, SpecLimits.HealthTimeout);
        checks.Range($"{path}.rise", health.Rise, SpecLimits.Rise);
        checks.Range($"{path}.fall", health.Fall, SpecLimits.Rise);
        Duration(checks, $"{path}.slow_start", health.SlowStart, SpecLimits.SlowStart);
        checks.Range($"{path}.panic", health.PanicPercent, SpecLimits.Panic);
        checks.Range($"{path}.passive", health.Passive, SpecLimits.Passive);
        Duration(checks, $"{path}.hold", health.Hold, SpecLimits.Hold);
        if (health.Passive > 0 && service.Protocol == IpProtocols.Udp)
        {
            checks.Error($"{path}.passive", "is of no use to udp, whose packets do not say whether they are answered; remove it",
                health.Passive.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Checks how a backend is to be drained.</summary>
    public static void CheckDrain(Checks checks, ServiceSpec service, BackendSpec backend, string path)
    {
        if (backend.DrainDeadline is not { } deadline)
        {
            return;
        }

        string value = DurationText.FromMicroseconds((long)deadline.TotalMicroseconds);
        Duration(checks, $"{path}.drain_deadline", deadline, SpecLimits.DrainDeadline);
        if (service is { OnRemove: RemovePolicy.Keep, Protocol: IpProtocols.Tcp })
        {
            checks.Error($"{path}.drain_deadline", "has nothing to end while the service says on_remove: keep; move or reset is needed with it", value);
        }
    }

    private static void CheckSource(Checks checks, ServiceSpec service, HealthSpec health, string path)
    {
        if (health.Source is not { } source || !checks.Host($"{path}.source", source))
        {
            return;
        }

        if (!service.Address.IsNone && source.Family != service.Address.Family)
        {
            checks.Error($"{path}.source", $"is of another family than the service's address {service.Address} and the backends'; both must be of one", source.ToString());
        }
    }

    private static void CheckHttp(Checks checks, HealthSpec health, string path)
    {
        if (health.Path is not { Length: > 0 and <= SpecLimits.MaxHealthTextLength } || health.Path[0] != '/' || !IsVisible(health.Path))
        {
            checks.Error($"{path}.path", "is not a path: \"/\" and up to 254 visible ASCII characters are needed", health.Path);
        }

        if (health.Host is null || health.Host.Length > SpecLimits.MaxHealthTextLength || !IsVisible(health.Host))
        {
            checks.Error($"{path}.host", "is not a host name: up to 255 visible ASCII characters are allowed", health.Host);
        }

        checks.Range($"{path}.status", health.StatusFrom, SpecLimits.HttpStatus);
        if (health.StatusTo < health.StatusFrom || !SpecLimits.HttpStatus.Contains(health.StatusTo))
        {
            checks.Error($"{path}.status", "is not a range: its end must not be before its beginning, nor above 599",
                string.Create(CultureInfo.InvariantCulture, $"{health.StatusFrom}-{health.StatusTo}"));
        }
    }

    private static void CheckSend(Checks checks, HealthSpec health, string path)
    {
        int bytes = Encoding.UTF8.GetByteCount(health.Send ?? "");
        if (health.Send is null || bytes > SpecLimits.MaxHealthSendBytes)
        {
            checks.Error($"{path}.send", $"is longer than {SpecLimits.MaxHealthSendBytes} bytes, or null", health.Send);
        }
        else if (bytes == 0 && health.Check == HealthCheckKind.Udp)
        {
            checks.Error($"{path}.send", "is missing: what udp checks send; a server must answer it");
        }
    }

    private static bool IsVisible(string text) => text.All(character => character is > ' ' and < '\u007F');

    private static void Duration(Checks checks, string path, TimeSpan value, DurationRange range)
    {
        if (!range.Contains(value))
        {
            checks.Error(path, range.Problem, value.ToString());
        }
    }
}
