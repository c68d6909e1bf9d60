using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;

namespace Dataplane.Gateway.Commands;

/// <summary>What differs between two configurations, in lines for people: + added, - removed, ~ changed.</summary>
internal static class SpecDifferences
{
    public static IReadOnlyList<string> Lines(DataplaneSpec before, DataplaneSpec after)
    {
        var lines = new List<string>();
        Compare(lines, "port", before.Ports, after.Ports, port => port.Name, port => Text(new DataplaneSpec { Ports = [port] }));
        Compare(lines, "interface", before.Interfaces, after.Interfaces, entry => $"{entry.Port} {entry.Vlan} {entry.Address}", entry => Text(new DataplaneSpec { Interfaces = [entry] }));
        Compare(lines, "neighbour", before.Neighbours, after.Neighbours, entry => $"{entry.Port} {entry.Vlan} {entry.Address}", entry => Text(new DataplaneSpec { Neighbours = [entry] }));
        Compare(lines, "route", before.Routes, after.Routes, route => route.To.ToString(), route => Text(new DataplaneSpec { Routes = [route] }));
        CompareFilters(lines, before.Filter, after.Filter);
        Compare(lines, "nat rule", before.Nat, after.Nat, rule => $"{rule.Inside} {rule.Outside} {rule.From}", rule => Text(new DataplaneSpec { Nat = [rule] }));
        CompareServices(lines, before.Services, after.Services);
        Compare(lines, "bridge", before.Bridges, after.Bridges, bridge => bridge.Name, bridge => Text(new DataplaneSpec { Bridges = [bridge] }));
        if (before.Workers != after.Workers)
        {
            lines.Add("~ workers: table sizes, spin, seed and cpu are read at the start only; restart to change them");
        }

        return lines;
    }

    private static void CompareFilters(List<string> lines, FilterSpec before, FilterSpec after)
    {
        // A rule without a name of its own is known by what it says.
        Compare(lines, "filter rule", before.Rules, after.Rules, rule => rule.Name.Length > 0 ? rule.Name : Rule(rule), Rule);
        if (before.Default != after.Default)
        {
            lines.Add($"~ filter default: {before.Default.ToString().ToLowerInvariant()} -> {after.Default.ToString().ToLowerInvariant()}");
        }

        if (before.PickUp != after.PickUp)
        {
            lines.Add($"~ filter pick_up: {(before.PickUp ? "true" : "false")} -> {(after.PickUp ? "true" : "false")}");
        }

        if (before.Timeouts != after.Timeouts)
        {
            lines.Add($"~ filter timeouts: {Times(before)} -> {Times(after)}");
        }

        if (lines.TrueForAll(line => !line.Contains(" filter rule ", StringComparison.Ordinal)) && !AreInOrder(before.Rules, after.Rules))
        {
            lines.Add("~ filter rules: order changed");
        }

        static bool AreInOrder(IReadOnlyList<FilterRuleSpec> before, IReadOnlyList<FilterRuleSpec> after) =>
            before.Count == after.Count && before.Zip(after).All(pair => ReferenceEquals(pair.First, pair.Second) || Rule(pair.First) == Rule(pair.Second));

        static string Times(FilterSpec filter) => Text(new DataplaneSpec { Filter = new FilterSpec { Timeouts = filter.Timeouts } }) is { Length: > 0 } text ? text : "default";

        static string Rule(FilterRuleSpec rule) => Text(new DataplaneSpec { Filter = new FilterSpec { Rules = [rule] } });
    }

    private static void CompareServices(List<string> lines, IReadOnlyList<ServiceSpec> before, IReadOnlyList<ServiceSpec> after)
    {
        Compare(lines, "service", before, after, service => service.Name, service => Text(new DataplaneSpec { Services = [service with { Backends = [] }] }));
        HashSet<object> kept = new(before, ReferenceEqualityComparer.Instance);
        Dictionary<string, ServiceSpec> old = before.DistinctBy(service => service.Name).ToDictionary(service => service.Name);
        foreach (ServiceSpec service in after.Where(service => !kept.Contains(service)))
        {
            ServiceSpec? known = old.GetValueOrDefault(service.Name);
            Compare(lines, $"service {service.Name} backend", known?.Backends ?? [], service.Backends,
                backend => SpecNaming.EndPoint(backend.Address, backend.Port), Backend);
        }
    }

    private static string Backend(BackendSpec backend) =>
        $"{SpecNaming.EndPoint(backend.Address, backend.Port)} weight {backend.Weight}{(backend.Drain ? " drained" : "")}";

    private static void Compare<T>(List<string> lines, string what, IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> key, Func<T, string> text)
        where T : class
    {
        if (ReferenceEquals(before, after))
        {
            return;
        }

        // Of thousands most are the same objects, and need no names.
        HashSet<object> kept = new(before, ReferenceEqualityComparer.Instance);
        kept.IntersectWith(after);
        Dictionary<string, T> old = Index(before.Where(item => !kept.Contains(item)), key), now = Index(after.Where(item => !kept.Contains(item)), key);
        foreach ((string name, T item) in old)
        {
            if (!now.ContainsKey(name))
            {
                lines.Add($"- {what} {text(item)}");
            }
        }

        foreach ((string name, T item) in now)
        {
            if (!old.TryGetValue(name, out T? was))
            {
                lines.Add($"+ {what} {text(item)}");
            }
            else if (text(was) != text(item))
            {
                lines.Add($"~ {what} {text(was)} -> {text(item)}");
            }
        }
    }

    private static Dictionary<string, T> Index<T>(IEnumerable<T> items, Func<T, string> key)
    {
        var index = new Dictionary<string, T>();
        foreach (T item in items)
        {
            // Rules may share a name; the second of one is compared with the second.
            string name = key(item);
            for (int count = 2; !index.TryAdd(name, item); count++)
            {
                name = $"{key(item)} ({count})";
            }
        }

        return index;
    }

    /// <summary>The one thing in a specification, as it stands in a file, on one line.</summary>
    private static string Text(DataplaneSpec one)
    {
        IEnumerable<string> lines = SpecWriter.ToYaml(one).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line.Trim());
        string text = string.Join(' ', lines.Where(line => line != "rules:"));
        return text.StartsWith("- ", StringComparison.Ordinal) ? text[2..] : text;
    }
}
