using Dataplane.Balancing;
using Dataplane.Filtering;
using Dataplane.Nat;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Hosting.Reloading;

/// <summary>Puts what a configuration says as it did before in place of what says it anew: the same objects, and where a whole list says the same, the same list.</summary>
/// <remarks>
/// So who compares looks at references, nothing of ten thousand rules is compiled or told again because of one, and a collector that comes by finds little that is young and stays:
/// copying that is what it stops the workers for. Compared are the beginnings of two lists and their ends, and between those what stands in the same place.
/// </remarks>
internal static class SpecReuse
{
    /// <summary>The specification after, by the objects of the one before where they say the same.</summary>
    public static DataplaneSpec Of(DataplaneSpec before, DataplaneSpec after) => after with
    {
        Ports = List(before.Ports, after.Ports, EqualityComparer<PortSpec>.Default.Equals),
        Interfaces = List(before.Interfaces, after.Interfaces, EqualityComparer<InterfaceSpec>.Default.Equals),
        Neighbours = List(before.Neighbours, after.Neighbours, EqualityComparer<NeighbourSpec>.Default.Equals),
        Routes = List(before.Routes, after.Routes, AreSame),
        Filter = Filter(before.Filter, after.Filter),
        Nat = List(before.Nat, after.Nat, EqualityComparer<NatSpec>.Default.Equals),
        Services = List(before.Services, after.Services, AreSame),
    };

    /// <summary>One list by the objects of another.</summary>
    internal static IReadOnlyList<T> List<T>(IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, T, bool> areSame)
        where T : class
    {
        if (ReferenceEquals(before, after))
        {
            return before;
        }

        int shorter = Math.Min(before.Count, after.Count), start = 0, end = 0;
        while (start < shorter && areSame(before[start], after[start]))
        {
            start++;
        }

        if (start == before.Count && start == after.Count)
        {
            return before;
        }

        T[] list = [.. after];
        for (int i = 0; i < start; i++)
        {
            list[i] = before[i];
        }

        while (end < shorter - start && areSame(before[before.Count - 1 - end], after[after.Count - 1 - end]))
        {
            end++;
            list[after.Count - end] = before[before.Count - end];
        }

        // Between the first change and the last, by place where as many are there as were: no object stands twice then.
        for (int i = start; i < after.Count - end && before.Count == after.Count; i++)
        {
            list[i] = areSame(before[i], after[i]) ? before[i] : after[i];
        }

        return list;
    }

    private static FilterSpec Filter(FilterSpec before, FilterSpec after)
    {
        FilterSpec filter = after with { Rules = List(before.Rules, after.Rules, EqualityComparer<FilterRuleSpec>.Default.Equals) };
        return filter == before ? before : filter;
    }

    private static bool AreSame(ServiceSpec one, ServiceSpec other) => ReferenceEquals(one, other)
        || (one.Backends.SequenceEqual(other.Backends) && one.Steer.SequenceEqual(other.Steer) && one == other with { Backends = one.Backends, Steer = one.Steer });

    private static bool AreSame(RouteSpec one, RouteSpec other) => ReferenceEquals(one, other)
        || (one.To == other.To && one.Via.SequenceEqual(other.Via) && one == other with { Via = one.Via });
}
