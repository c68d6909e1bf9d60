using Dataplane.Native.Tests;

namespace Dataplane.SystemTests.Support;

/// <summary>A fact that runs real programs in network namespaces: skipped, with the reason, where a privilege or a program is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SystemFactAttribute : FactAttribute
{
    public SystemFactAttribute(params string[] programs) => Skip = Privileges.Missing ?? Programs.WhyMissing(programs);
}

/// <summary>A theory with the same demands as <see cref="SystemFactAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SystemTheoryAttribute : TheoryAttribute
{
    public SystemTheoryAttribute(params string[] programs) => Skip = Privileges.Missing ?? Programs.WhyMissing(programs);
}
