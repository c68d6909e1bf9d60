namespace Dataplane.Mesh.Services;

/// <summary>Whether two specifications say the same, whatever objects they are made of: sources hear much again that has not changed.</summary>
internal static class SpecEquality
{
    public static bool AreSame(IReadOnlyList<MeshEndpointSpec> some, IReadOnlyList<MeshEndpointSpec> others) => some.Count == others.Count && some.Zip(others).All(pair => AreSame(pair.First, pair.Second));

    public static bool AreSame(IReadOnlyList<MeshServiceSpec> some, IReadOnlyList<MeshServiceSpec> others) => some.Count == others.Count && some.Zip(others).All(pair => AreSame(pair.First, pair.Second));

    /// <summary>Records are compared field by field, so that one that is added counts; collections, which would be compared as objects, are set alike first.</summary>
    public static bool AreSame(MeshEndpointSpec one, MeshEndpointSpec other) => ReferenceEquals(one, other)
        || (AreSame(one.Labels, other.Labels) && AreSame(one.Ports, other.Ports) && one == other with { Labels = one.Labels, Ports = one.Ports });

    /// <inheritdoc cref="AreSame(MeshEndpointSpec, MeshEndpointSpec)"/>
    public static bool AreSame(MeshServiceSpec one, MeshServiceSpec other) => ReferenceEquals(one, other)
        || (one.Ports.SequenceEqual(other.Ports) && one.Addresses.SequenceEqual(other.Addresses) && one.LoadBalancerAddresses.SequenceEqual(other.LoadBalancerAddresses)
            && one.Aliases.SequenceEqual(other.Aliases)
            && AreSame(one.Selector, other.Selector) && AreSame(one.Endpoints, other.Endpoints)
            && one == other with
            {
                Ports = one.Ports,
                Addresses = one.Addresses,
                LoadBalancerAddresses = one.LoadBalancerAddresses,
                Aliases = one.Aliases,
                Selector = one.Selector,
                Endpoints = one.Endpoints,
            });

    private static bool AreSame<T>(IReadOnlyDictionary<string, T> one, IReadOnlyDictionary<string, T> other) =>
        ReferenceEquals(one, other) || (one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out T? value) && EqualityComparer<T>.Default.Equals(value, pair.Value)));
}
