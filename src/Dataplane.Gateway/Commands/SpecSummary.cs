using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Ports;

namespace Dataplane.Gateway.Commands;

/// <summary>A configuration in a few lines.</summary>
internal static class SpecSummary
{
    public static IEnumerable<string> Lines(DataplaneSpec spec)
    {
        yield return $"ports       {List(spec.Ports.Select(Describe))}";
        yield return $"interfaces  {List(spec.Interfaces.Select(entry => $"{entry.Port} {entry.Address}"))}";
        if (spec.Neighbours.Count > 0)
        {
            yield return $"neighbours  {spec.Neighbours.Count}";
        }

        yield return $"routes      {List(spec.Routes.Take(4).Select(route => route.To.ToString()))}{(spec.Routes.Count > 4 ? $", and {spec.Routes.Count - 4} more" : "")}";
        yield return $"filter      {Count(spec.Filter.Rules.Count, "rule")}, default {(spec.Filter.Default == FilterAction.Allow ? "allow" : "deny")}";
        foreach (ServiceSpec service in spec.Services)
        {
            string how = service.Balance == BalancePolicy.Maglev ? $"maglev over {service.TableSize} slots" : SpecNaming.Policy(service.Balance);
            yield return $"service     {service.Name}: {SpecNaming.Protocol(service.Protocol)} {SpecNaming.EndPoint(service)} to {Count(service.Backends.Count, "backend")}, {how}";
        }
    }

    private static string Describe(PortSpec port)
    {
        string what = new[] { port.Interface, port.Input, port.Output, port.Socket, port.Endpoint }.FirstOrDefault(text => text.Length > 0) ?? "";
        return what.Length > 0 ? $"{port.Name} ({SpecNaming.Kind(port.Kind)} {what})" : $"{port.Name} ({SpecNaming.Kind(port.Kind)})";
    }

    private static string Count(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";

    private static string List(IEnumerable<string> items) => string.Join(", ", items) is { Length: > 0 } list ? list : "none";
}
