using System.Runtime.CompilerServices;
using Dataplane.Balancing;

namespace Dataplane.Configuration;

/// <summary>Checks a specification as a whole, without touching the system.</summary>
/// <remarks>
/// Says of every value what is wrong with it once: what depends on a value that is wrong itself is not held against others. It says nothing about
/// the machine: whether an interface exists, or whether this version can open a port of its kind, shows when the engine starts.
/// </remarks>
public static class SpecValidator
{
    private static readonly ConditionalWeakTable<DataplaneSpec, object> s_vouched = [];

    /// <summary>Finds everything wrong with a specification; throws for none, whatever is in it.</summary>
    /// <returns>The errors in the order of the configuration; empty when it can be compiled.</returns>
    public static IReadOnlyList<ConfigurationError> Validate(DataplaneSpec spec) => Validate(spec, null);

    /// <summary>The same, with what is known: zones and records that are those of a valid specification, and services that stand the same way in one which otherwise says the
    /// same, are not looked into again.</summary>
    internal static IReadOnlyList<ConfigurationError> Validate(DataplaneSpec spec, DataplaneSpec? valid)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (s_vouched.Remove(spec))
        {
            return [];
        }

        bool isKnown = valid is not null && ServiceDifferences.AreAllButAddresses(valid, spec);
        if (isKnown && spec.Services is not null && ServiceArrivals.Find(valid!, spec) is { } arrived && Check(spec, valid, isKnown, changed: null, arrived).Count == 0)
        {
            // What is wrong is said by the checks of everything, which know whom else it has to do with.
            return [];
        }

        bool isInPlace = isKnown && spec.Services?.Count == valid!.Services.Count && ServiceDifferences.AreAll(valid, spec);
        return Check(spec, valid, isKnown, isInPlace ? ServiceDifferences.InPlace(valid!, spec) : null, arrived: null);
    }

    private static List<ConfigurationError> Check(DataplaneSpec spec, DataplaneSpec? valid, bool isKnown, IReadOnlyList<int>? changed, IReadOnlyList<int>? arrived)
    {
        var checks = new Checks();
        PortChecks.Check(checks, spec);
        InterfaceChecks.Check(checks, spec);
        ServiceChecks.ClaimAddresses(checks, spec, arrived ?? changed);
        NatChecks.ClaimAddresses(checks, spec);
        NetworkChecks.Check(checks, spec);
        BridgeChecks.Check(checks, spec);
        NameChecks.ClaimAddresses(checks, spec);
        EncapsulationChecks.ClaimAddresses(checks, spec);
        SiitChecks.ClaimAddresses(checks, spec);
        NeighbourChecks.Check(checks, spec);
        RouteChecks.Check(checks, spec);
        FilterChecks.Check(checks, spec);
        NatChecks.Check(checks, spec);
        if (arrived is not null)
        {
            ServiceChecks.CheckArrived(checks, spec, arrived);
        }
        else if (changed is not null)
        {
            ServiceChecks.Check(checks, spec, changed);
        }
        else
        {
            ServiceChecks.Check(checks, spec, isKnown ? valid : null);
        }

        EncapsulationChecks.Check(checks, spec);
        SiitChecks.Check(checks, spec);
        NameChecks.Check(checks, spec, valid);
        if (spec.Mesh is not null)
        {
            checks.Error("mesh", "is for the program dataplane, or for MeshRuntime of Dataplane.Mesh: nothing here would act on it, so take it out");
        }

        WorkerChecks.Check(checks, spec);
        return checks.Errors;
    }

    /// <summary>Says that a specification, just made, was found to be without errors: who asks next is not made to wait for the same again. Any thread.</summary>
    /// <remarks>Once: lists of a specification may be somebody's who changes them later.</remarks>
    internal static void Vouch(DataplaneSpec spec) => s_vouched.AddOrUpdate(spec, spec.Services);
}
