using System.Reflection;

namespace Dataplane.Native.Tests;

public class PublicSurfaceTests
{
    // The engine is compiled without unsafe code, so nothing it can see may need it.
    [Fact]
    public void PublicMembers_AllOfThem_HaveNoPointers()
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        Type[] types = typeof(MappedRegion).Assembly.GetExportedTypes();
        Assert.Contains(typeof(AfPacketReceiver), types);
        string[] pointers = [.. types.SelectMany(t => t.GetMembers(All)).Where(UsesPointer).Select(m => $"{m.DeclaringType!.Name}.{m.Name}")];
        Assert.Empty(pointers);
        Assert.All(types, t => Assert.Equal("Dataplane.Native", t.Namespace));
    }

    private static bool UsesPointer(MemberInfo member) => member switch
    {
        MethodBase method => method.GetParameters().Any(p => IsPointer(p.ParameterType)) || (method is MethodInfo info && IsPointer(info.ReturnType)),
        FieldInfo field => IsPointer(field.FieldType),
        _ => false,
    };

    private static bool IsPointer(Type type) => type.IsPointer || type.IsFunctionPointer || (type.HasElementType && IsPointer(type.GetElementType()!));
}
