using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Balancing;

/// <summary>The work of changing one service, by what it allocates: it must not be the work of all services again.</summary>
[Collection(AllocationCollection.Name)]
public sealed class ServiceUpdateAllocationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Update_OfOneServiceAmongMany_AllocatesListsOfThemAndNothingElse(int workers)
    {
        long few = await UpdateBytesAsync(200, workers), many = await UpdateBytesAsync(2200, workers);

        // Two lists of references, the one that the caller makes among them, and room for a third; and one for each further worker.
        Assert.InRange((many - few) / 2000.0, 0, (2 + workers) * 8);
    }

    private static async Task<long> UpdateBytesAsync(int services, int workers)
    {
        await using TestPlane plane = TestPlane.Create(builder => builder.Workers(spec => spec with { Count = workers }));
        await plane.Engine.UpdateAsync(spec => spec with { Services = [.. Enumerable.Range(0, services).Select(Service)] });
        long least = long.MaxValue;
        for (int round = 0; round < 4; round++)
        {
            ServiceSpec[] changed = [.. plane.Engine.Spec.Services];
            changed[7] = changed[7] with { Backends = [changed[7].Backends[0] with { Weight = round + 2 }] };
            DataplaneSpec spec = plane.Engine.Spec with { Services = changed };
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await plane.Engine.UpdateAsync(spec);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
            Assert.Equal(1, plane.Engine.ServicesCompiled);
        }

        return least;
    }

    private static ServiceSpec Service(int number) => new()
    {
        Name = $"s{number}",
        Address = IpAddress.FromV4(0xCB007000u + (uint)(number % 250) + 1),
        Port = (ushort)(1000 + number),
        TableSize = 251,
        Backends = [new BackendSpec { Address = IpAddress.Parse("10.1.0.11"), Port = (ushort)(1000 + number) }],
    };
}
