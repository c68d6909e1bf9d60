using Dataplane.Balancing;
using Dataplane.Packets;

namespace Dataplane.Configuration;

/// <summary>The rules for steering by source prefix, and for groups of backends.</summary>
internal static class SteerChecks
{
    public static void Check(Checks checks, ServiceSpec service, string path)
    {
        var groups = new HashSet<string>(StringComparer.Ordinal);
        for (int index = 0; index < (service.Backends?.Count ?? 0); index++)
        {
            // That none is null is said elsewhere.
            if (service.Backends![index] is { Group.Length: > 0 } backend)
            {
                groups.Add(backend.Group);
                if (!SpecNames.IsName(backend.Group))
                {
                    checks.Error($"{ConfigPath.Index($"{path}.backends", index)}.group", SpecNames.NameProblem, backend.Group);
                }
            }
        }

        var seen = new Dictionary<IpPrefix, string>();
        foreach ((SteerSpec rule, string at, _) in checks.Each(service.Steer, $"{path}.steer"))
        {
            CheckFrom(checks, service, rule, at, seen);
            CheckTo(checks, rule, $"{at}.to", groups);
        }
    }

    private static void CheckFrom(Checks checks, ServiceSpec service, SteerSpec rule, string path, Dictionary<IpPrefix, string> seen)
    {
        string from = $"{path}.from", value = rule.From.ToString();
        if (rule.From.Address.IsNone)
        {
            checks.Error(from, "is missing; the prefix of the clients' addresses is needed");
        }
        else if (rule.From.HasHostBits)
        {
            checks.Error(from, $"has bits behind its length; write {rule.From.Network}", value);
        }
        else if (!service.Address.IsNone && rule.From.Family != service.Address.Family)
        {
            checks.Error(from, $"is of another family than the service's address {service.Address}, whose clients are of its own", value);
        }
        else if (!seen.TryAdd(rule.From, path))
        {
            checks.Error(from, $"is that of {seen[rule.From]} already; one rule may have several groups", value);
        }
    }

    private static void CheckTo(Checks checks, SteerSpec rule, string path, HashSet<string> groups)
    {
        string[] names = SourceSteering.Split(rule.To);
        if (names.Length == 0)
        {
            checks.Error(path, "is missing; a group of backends is needed, or a list of them");
        }

        foreach (string name in names)
        {
            if (!groups.Contains(name))
            {
                checks.Error(path, $"is the group of no backend of the service{WordList.DidYouMean(name, groups)}", name);
            }
        }
    }
}
