namespace Dataplane.Balancing;

/// <summary>Compares how a service leads flows to backends by hash with how it did before: what flows notice that have no entry of their own.</summary>
internal static class HashGeneration
{
    /// <summary>Whether the two hash otherwise, so that nothing of one says where the other leads a flow.</summary>
    public static bool IsNewHash(ServiceSpec before, ServiceSpec after) =>
        before.HashSeed != after.HashSeed || BalanceHash.FieldsOf(before) != BalanceHash.FieldsOf(after);

    /// <summary>Whether more has changed than backends and weights: the hash, the size of the table, or from a policy by table to one by highest hash or to another.</summary>
    public static bool IsNew(ServiceSpec before, ServiceSpec after) =>
        IsNewHash(before, after) || WayOf(before) != WayOf(after) || (WayOf(after) == Way.Table && before.TableSize != after.TableSize);

    /// <summary>What a new generation means.</summary>
    /// <param name="before">The service as it was, with a backend at least that takes flows.</param>
    /// <param name="after">The service as it is.</param>
    /// <param name="keptSlots">Slots of backends whose flows are kept.</param>
    public static ServiceChange Compare(ServiceRuntime before, ServiceRuntime after, int[] keptSlots)
    {
        Dictionary<int, double> was = SharesOf(before), now = SharesOf(after);
        double same = now.Sum(share => was.GetValueOrDefault(share.Key) * share.Value);
        double fewest = was.Sum(share => Math.Max(0, share.Value - now.GetValueOrDefault(share.Key)));
        int slots = after.Table?.Size ?? after.Spec.TableSize;
        double moved = !IsNewHash(before.Spec, after.Spec) && before.Table is { } from && after.Table is { } to
            ? MovedPart(from, before.Eligible, to, after.Eligible) : 1 - same;
        return new ServiceChange(after.Spec.Name, slots, (int)Math.Round(moved * slots), (int)Math.Round(fewest * slots)) { IsNewGeneration = true, KeptSlots = keptSlots };
    }

    private static Way WayOf(ServiceSpec spec) => spec.Balance switch
    {
        BalancePolicy.Maglev or BalancePolicy.SourceHash => Way.Table,
        BalancePolicy.Rendezvous => Way.Highest,
        _ => Way.Even,
    };

    /// <summary>By slot, the part of all flows that a backend gets where the hash alone decides.</summary>
    private static Dictionary<int, double> SharesOf(ServiceRuntime service)
    {
        double total = service.Eligible.Sum(backend => (double)backend.Share);
        return service.Eligible.Select((backend, index) => (backend.Slot, Share: WayOf(service.Spec) switch
        {
            Way.Table => (double)service.Table!.SlotsOf(index) / service.Table.Size,
            Way.Highest => backend.Share / total,
            _ => 1.0 / service.Eligible.Length,
        })).ToDictionary(backend => backend.Slot, backend => backend.Share);
    }

    /// <summary>The part of all hashes that two tables lead to different backends, whatever their sizes: exactly, slot by slot of both.</summary>
    private static double MovedPart(MaglevTable from, BackendRuntime[] before, MaglevTable to, BackendRuntime[] after)
    {
        long moved = 0, at = 0;
        int i = 0, j = 0;
        while (at < 1L << 32)
        {
            long end = Math.Min(EndOf(i, from.Size), EndOf(j, to.Size));
            moved += before[from.MemberAt(i)].Slot == after[to.MemberAt(j)].Slot ? 0 : end - at;
            i += end == EndOf(i, from.Size) ? 1 : 0;
            j += end == EndOf(j, to.Size) ? 1 : 0;
            at = end;
        }

        return moved / (double)(1L << 32);
    }

    /// <summary>The first hash that is behind a slot.</summary>
    private static long EndOf(int slot, int size) => (((slot + 1L) << 32) + size - 1) / size;

    /// <summary>How a hash leads to a backend.</summary>
    private enum Way
    {
        Table,
        Highest,
        Even,
    }
}
